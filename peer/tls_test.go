package peer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
)

// certificate returns the generated one, as a server presents it.
func certificate(t *testing.T) (*tls.Certificate, *x509.Certificate) {
	t.Helper()
	cert, err := peer.GenerateTLSConfigForServer().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert, x
}

// A client that trusts the generated certificate accepts it.
func TestGeneratedCertificate(t *testing.T) {
	cert, x := certificate(t)
	if again, _ := certificate(t); again != cert {
		t.Error("each configuration has a certificate of its own")
	}
	if key, ok := x.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T", x.PublicKey)
	}
	if life := x.NotAfter.Sub(x.NotBefore); life < 364*24*time.Hour || life > 398*24*time.Hour { // some clients refuse a longer validity
		t.Errorf("it is valid for %v", life)
	}
	roots := x509.NewCertPool()
	roots.AddCert(x)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := x.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if _, err := x.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: roots}); err == nil {
		t.Error("it is valid for everybody")
	}
	if cfg := peer.GenerateTLSConfigForClient(); !cfg.InsecureSkipVerify || cfg.MinVersion != tls.VersionTLS12 {
		t.Errorf("client: %+v", cfg)
	}
}

// write writes a PEM file and returns its path.
func write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A client that trusts the certificate from the files accepts the server; no other
// client does.
func TestTLSFromFiles(t *testing.T) {
	cert, x := certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := write(t, "cert.pem", "CERTIFICATE", cert.Certificate[0]), write(t, "key.pem", "PRIVATE KEY", key)

	srv := peer.New(peer.Config{LocalIP: "127.0.0.1"})
	if err := srv.SetTLSConfigFromFile(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		receive(t, "Serve to return", served)
	})
	roots := x509.NewCertPool()
	roots.AddCert(x)
	skip, err := peer.NewTLSConfigFromFile(certFile, keyFile, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		cfg  *tls.Config
		want int32
	}{
		{"one that trusts it", &tls.Config{RootCAs: roots}, message.CodeOK},
		{"a client that does not look", skip, message.CodeOK},
		{"one that does not trust it", &tls.Config{}, message.CodeDialFailed},
		{"one that knows TLS 1.1 only", &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}, message.CodeDialFailed},
	} {
		cli := peer.New(peer.Config{})
		cli.SetTLSConfig(c.cfg)
		s, st := cli.Dial(lis.Addr().String())
		if st.Code() != c.want {
			t.Errorf("%s: %v, want code %d", c.what, st, c.want)
		} else if st.OK() {
			if st := s.Call("/nothing", nil, nil).Status(); st.Code() != message.CodeNotFound {
				t.Errorf("%s: a call: %v", c.what, st)
			}
		}
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	}

	before := srv.TLSConfig()
	err = srv.SetTLSConfigFromFile(certFile, certFile+".none")
	if err == nil || !strings.Contains(err.Error(), certFile+".none") || srv.TLSConfig() != before {
		t.Errorf("without a key: %v", err)
	}
	if _, err := peer.NewTLSConfigFromFile(keyFile, keyFile); err == nil {
		t.Error("a key was taken for a certificate")
	}
}

// TLS below 1.2 is refused, and the caller's configuration is not changed.
func TestSetTLSConfig(t *testing.T) {
	p := peer.New(peer.Config{})
	if p.TLSConfig() != nil {
		t.Error("TLS that nobody asked for")
	}
	own := &tls.Config{MinVersion: tls.VersionTLS10, ServerName: "a"}
	p.SetTLSConfig(own)
	if got := p.TLSConfig(); got == own || got.MinVersion != tls.VersionTLS12 || got.ServerName != "a" || own.MinVersion != tls.VersionTLS10 {
		t.Errorf("%+v became %+v", own, got)
	}
	p.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS13})
	if got := p.TLSConfig(); got.MinVersion != tls.VersionTLS13 {
		t.Errorf("%+v", got)
	}
	p.SetTLSConfig(nil)
	if p.TLSConfig() != nil {
		t.Error("it stays on")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
