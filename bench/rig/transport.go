package rig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The transports, for [Config.Transport].
const (
	TCP       = "tcp"
	TLS       = "tls" // TLS 1.3 over TCP
	Unix      = "unix"
	WebSocket = "ws"
	QUIC      = "quic"
)

// Network returns the network of package net below the transport.
func (c Config) Network() string {
	if c.Transport == Unix {
		return "unix"
	}
	return "tcp"
}

// Encrypted reports whether the transport needs a TLS configuration.
func (c Config) Encrypted() bool { return c.Transport == TLS || c.Transport == QUIC }

// Listen returns a listener on c.Addr, for TCP, TLS and Unix.
func Listen(c Config) (net.Listener, error) {
	l, err := net.Listen(c.Network(), c.Addr)
	if err != nil || c.Transport != TLS {
		return l, err
	}
	t, err := ServerTLS()
	if err != nil {
		_ = l.Close() // the reason is another
		return nil, err
	}
	return tls.NewListener(l, t), nil
}

// Connect dials c.Addr, over TCP, TLS or Unix.
func Connect(c Config) (net.Conn, error) {
	if c.Transport == TLS {
		return tls.Dial("tcp", c.Addr, ClientTLS())
	}
	return net.Dial(c.Network(), c.Addr)
}

// ServerTLS returns a TLS 1.3 configuration with a certificate generated for
// this process.
func ServerTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("rig: a key for TLS: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("rig: a certificate for TLS: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}, nil
}

// ClientTLS returns a TLS 1.3 configuration that accepts any certificate,
// because only the encryption of a connection is measured.
func ClientTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}
}

// freeAddr returns an address that no server listens on.
func freeAddr(transport string) (string, error) {
	if transport == Unix {
		return filepath.Join(os.TempDir(), fmt.Sprintf("erpcbench-%d.sock:0", os.Getpid())), nil // v7 wants the port
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("rig: no free port: %w", err)
	}
	addr := l.Addr().String()
	return addr, l.Close()
}

// AwaitListener returns once c.Addr accepts connections. It is for servers that
// don't report when they listen. For QUIC it can't check this, and returns at
// once.
func AwaitListener(c Config) error {
	if c.Transport == QUIC {
		return nil
	}
	var err error
	for range 200 {
		var conn net.Conn
		conn, err = net.DialTimeout(c.Network(), c.Addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(5 * time.Millisecond) // not a test: there is nothing else to wait for
	}
	return fmt.Errorf("rig: the server does not listen: %w", err)
}
