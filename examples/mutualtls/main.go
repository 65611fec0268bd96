// Command mutualtls shows two peers that verify each other's certificates: the
// server's by its name, the client's by the authority that signed it. The
// example makes the authority and the certificates in memory; a real program
// reads them from files.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net"
	"time"

	"github.com/goerpc/erpc"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template("authority", 1)
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// sign returns a certificate for name.
func (a *authority) sign(name string, serial int64) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(name, serial), a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	serverCert, err := ca.sign("server.example", 2)
	if err != nil {
		return err
	}
	clientCert, err := ca.sign("alice", 3)
	if err != nil {
		return err
	}

	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, whoIsThere{})
	defer srv.Close()
	srv.SetTLSConfig(&tls.Config{
		Certificates: []tls.Certificate{serverCert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.pool(),
	})
	erpc.HandleCall(srv, "/hello", func(ctx context.Context, greeting *string) (*string, error) {
		reply := *greeting + ", " + erpc.CallCtxFrom(ctx).Session().ID()
		return &reply, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		return err
	}
	go srv.Serve(lis) // ends when the peer is closed

	dial := func(cfg *tls.Config) error {
		cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
		defer cli.Close()
		cli.SetTLSConfig(cfg)
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			return st.Err()
		}
		reply, err := erpc.Call[string](context.Background(), sess, "/hello", "good day")
		if err == nil {
			fmt.Println(*reply)
		}
		return err
	}
	if err := dial(&tls.Config{Certificates: []tls.Certificate{clientCert}, RootCAs: ca.pool(), ServerName: "server.example"}); err != nil {
		return err
	}
	for _, bad := range []struct {
		who string
		cfg *tls.Config
	}{
		{"a client without a certificate", &tls.Config{RootCAs: ca.pool(), ServerName: "server.example"}},
		{"a client that expects another server", &tls.Config{Certificates: []tls.Certificate{clientCert}, RootCAs: ca.pool(), ServerName: "other.example"}},
	} {
		if err := dial(bad.cfg); err == nil {
			return fmt.Errorf("%s was accepted", bad.who)
		}
		fmt.Println(bad.who, "is refused")
	}
	return nil
}

// whoIsThere sets the id of each session to the name in the client's
// certificate.
type whoIsThere struct{}

func (whoIsThere) Name() string { return "who is there" }

func (whoIsThere) PostAccept(s erpc.PreSession) *erpc.Status {
	st := erpc.NewStatus(erpc.CodeUnauthorized, "no certificate")
	s.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) {
		if c, ok := conn.(*tls.Conn); ok && len(c.ConnectionState().PeerCertificates) > 0 {
			s.SetID(c.ConnectionState().PeerCertificates[0].Subject.CommonName)
			st = nil
		}
		return nil, nil // both stay unchanged
	})
	return st
}
