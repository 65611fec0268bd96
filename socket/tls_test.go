package socket

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// tlsConfigs returns the configurations of a server and of a client that trusts
// it, for 127.0.0.1 and localhost.
var tlsConfigs = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots}
})

func withName(cfg *tls.Config, name string) *tls.Config {
	if cfg == nil {
		return nil
	}
	cfg = cfg.Clone()
	cfg.ServerName = name
	return cfg
}

func tlsPair(t testing.TB) (a, b net.Conn) {
	server, client := tlsConfigs()
	ca, cb := pair(t, "tcp")
	c := tls.Client(ca, serverName(client, "tcp", "127.0.0.1:1"))
	s := tls.Server(cb, server)
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { done <- s.HandshakeContext(ctx) }()
	if err := c.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestTLSHandshakeErrorsCloseTheSocket(t *testing.T) {
	server, client := tlsConfigs()
	lis, err := Stream{}.Listen(soon(t), "tcp", "127.0.0.1:0", &Options{TLS: server})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	served := make(chan error, 1)
	accept := func() {
		c, err := lis.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		if err = c.(Handshaker).HandshakeContext(t.Context()); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		served <- err
	}
	for name, cfg := range map[string]*tls.Config{
		"unknown authority": {},
		"other name":        withName(client, "example.org"),
		"old version":       {InsecureSkipVerify: true, MaxVersion: tls.VersionTLS10},
	} {
		go accept()
		c, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &Options{TLS: cfg})
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "tls handshake") {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case err := <-served:
			if err == nil {
				t.Errorf("%s: the server read something", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the connection is still open", name)
		}
	}
}

// A server that says nothing must not hold a dialler longer than its context.
func TestTLSDialObeysContext(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, client := tlsConfigs()
	if c, err := (Stream{}).Dial(ctx, "tcp", lis.Addr().String(), &Options{TLS: client}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dialled %v, %v", c, err)
	}
	c, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
	_ = c.Close()
}

func TestServerName(t *testing.T) {
	given := &tls.Config{}
	for _, c := range []struct {
		cfg           *tls.Config
		network, addr string
		want          string
	}{
		{given, "tcp", "example.org:443", "example.org"},
		{given, "tcp", "[::1]:443", "::1"},
		{given, "tcp", ":443", "localhost"},
		{given, "unix", "/run/x", "localhost"},
		{&tls.Config{ServerName: "set"}, "tcp", "example.org:443", "set"},
		{&tls.Config{InsecureSkipVerify: true}, "tcp", "example.org:443", ""},
	} {
		if got := serverName(c.cfg, c.network, c.addr).ServerName; got != c.want {
			t.Errorf("%s %s: verifies %q, want %q", c.network, c.addr, got, c.want)
		}
	}
	if given.ServerName != "" {
		t.Error("the user's configuration was changed")
	}
}
