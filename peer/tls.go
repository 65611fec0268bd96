package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// NewTLSConfigFromFile returns a configuration with the certificate and key of
// two PEM files, for TLS 1.2 and later.
func NewTLSConfigFromFile(certFile, keyFile string, insecureSkipVerifyForClient ...bool) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("peer: tls certificate %s with key %s: %w", certFile, keyFile, err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if len(insecureSkipVerifyForClient) > 0 {
		cfg.InsecureSkipVerify = insecureSkipVerifyForClient[0]
	}
	return cfg, nil
}

// tlsConfig returns the TLS configuration that c asks for, or nil if it asks
// for none.
func (c *Config) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case c.TLSCertFile != "" || c.TLSKeyFile != "":
		cert, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("peer: tls_cert_file %q with tls_key_file %q: %w", c.TLSCertFile, c.TLSKeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	case !c.TLS && c.TLSCAFile == "" && !c.TLSClientCert:
		return nil, nil
	}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("peer: tls_ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("peer: tls_ca_file %q holds no certificate in PEM form", c.TLSCAFile)
		}
		cfg.RootCAs, cfg.ClientCAs = pool, pool
	}
	if c.TLSClientCert {
		if c.TLSCAFile == "" {
			return nil, errors.New("peer: tls_client_cert needs tls_ca_file: set it to the authorities whose clients are accepted")
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

// GenerateTLSConfigForClient returns a configuration that encrypts and does NOT
// verify the server. It is meant for servers with [GenerateTLSConfigForServer].
// It protects from eavesdroppers, but not from a man in the middle.
func GenerateTLSConfigForClient() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
}

// generated returns the certificate of this process, which it makes on first
// use.
var generated = sync.OnceValues(selfSigned)

// GenerateTLSConfigForServer returns a configuration with a self-signed
// certificate, valid for a year, for localhost and the loopback addresses. The
// certificate is made on the first handshake, shared by the whole process, and
// never stored.
func GenerateTLSConfigForServer() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return generated() },
	}
}

func selfSigned() (_ *tls.Certificate, err error) {
	key, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial, err2 := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("peer: generate certificate: %w", err)
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "erpc self-signed"},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("peer: generate certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
