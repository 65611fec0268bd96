package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes one for the name example.org and returns the files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// The command verifies the server of a TLS target with the authorities and the name
// that flags give, and may present a certificate of its own.
func TestTLSTargets(t *testing.T) {
	cert, key := certificate(t)
	for _, scheme := range []string{"tls", "json+tls", "https", "wss", "quic"} {
		addr, _ := standsIn(t, "-cert", cert, "-key", key, "-reply", "/x=1", scheme+"://127.0.0.1:0")
		for _, c := range []struct {
			flags []string
			code  int
		}{
			{[]string{"-ca", cert, "-servername", "example.org"}, exitOK},
			{[]string{"-ca", cert, "-servername", "example.org", "-cert", cert, "-key", key}, exitOK},
			{[]string{"-insecure"}, exitOK},
			{[]string{"-ca", cert}, exitConnection}, // another name
			{[]string{"-servername", "example.org"}, exitConnection},
		} {
			args := append(append([]string{"call", "-timeout", "5s"}, c.flags...), scheme+"://"+addr, "/x")
			code, out, errs := erpcRun(t, "", args...)
			if code != c.code || code == exitOK && out != "1\n" {
				t.Errorf("%q: exit %d, %q, %q; want %d", args, code, out, errs, c.code)
			}
		}
	}
	for says, flags := range map[string][]string{
		"no certificate": {"-ca", key},
		"-ca":            {"-ca", "/nowhere"},
		"-cert, -key":    {"-cert", cert},
	} {
		if code, _, errs := erpcRun(t, "", append(append([]string{"call"}, flags...), "tls://127.0.0.1:1", "/x")...); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("%q: exit %d, %q", flags, code, errs)
		}
	}
}
