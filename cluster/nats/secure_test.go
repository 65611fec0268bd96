package nats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/cluster/nats/embed"
	"github.com/goerpc/erpc/internal/test/kit"
)

// An authority issues certificates for the loopback address.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.cert, a.key = certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	a.pool.AddCert(a.cert)
	return a
}

// certify makes a certificate signed by issuer; if that is nil, by its own key.
func certify(t testing.TB, template *x509.Certificate, issuer *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return cert, key
}

// config returns the configuration of a server or a client that trusts this
// authority.
func (a *authority) config(t testing.TB) *tls.Config {
	t.Helper()
	cert, key := certify(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "node"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		RootCAs:      a.pool, ClientCAs: a.pool, MinVersion: tls.VersionTLS12,
	}
}

// An operated is a server configured to trust an operator, with the credentials
// file of a user.
type operated struct {
	operator *jwt.OperatorClaims
	accounts server.AccountResolver
	file     string // with credentials
	stranger string // of another operator
}

func newOperated(t testing.TB) (o operated) {
	t.Helper()
	hire := func() (*jwt.OperatorClaims, server.AccountResolver, string) {
		operator, err := nkeys.CreateOperator()
		check(t, err)
		account, err := nkeys.CreateAccount()
		check(t, err)
		user, err := nkeys.CreateUser()
		check(t, err)
		claims := jwt.NewOperatorClaims(public(t, operator))
		_, err = claims.Encode(operator)
		check(t, err)
		granted, err := jwt.NewAccountClaims(public(t, account)).Encode(operator)
		check(t, err)
		accounts := &server.MemAccResolver{}
		check(t, accounts.Store(public(t, account), granted))
		token, err := jwt.NewUserClaims(public(t, user)).Encode(account)
		check(t, err)
		seed, err := user.Seed()
		check(t, err)
		file, err := jwt.FormatUserConfig(token, seed)
		check(t, err)
		path := filepath.Join(t.TempDir(), "user.creds")
		check(t, os.WriteFile(path, file, 0o600))
		return claims, accounts, path
	}
	o.operator, o.accounts, o.file = hire()
	_, _, o.stranger = hire()
	return o
}

func public(t testing.TB, key nkeys.KeyPair) string {
	t.Helper()
	name, err := key.PublicKey()
	check(t, err)
	return name
}

func newUserKey(t testing.TB) (name string, sign natsgo.SignatureHandler) {
	t.Helper()
	user, err := nkeys.CreateUser()
	check(t, err)
	return public(t, user), user.Sign
}

// An external server accepts clients with the right credentials, also when the node
// redials; others get an error that does not reveal their secret.
func TestExternalServerAsksForCredentials(t *testing.T) {
	kit.NoLeaks(t)
	ours, foreign := newAuthority(t), newAuthority(t)
	trust := func(pool *x509.CertPool, certs []tls.Certificate) natsgo.Option {
		return natsgo.Secure(&tls.Config{RootCAs: pool, Certificates: certs, MinVersion: tls.VersionTLS12})
	}
	name, sign := newUserKey(t)
	strange, signStrange := newUserKey(t)
	o := newOperated(t)
	const secret, wrong = "swordfish", "mackerel"
	type options = []natsgo.Option
	for what, c := range map[string]struct {
		asks func(*server.Options)
		good options
		bad  map[string]options
	}{
		"TLS": {
			func(o *server.Options) { o.TLSConfig = ours.config(t) },
			options{trust(ours.pool, nil)},
			map[string]options{"another authority": {trust(foreign.pool, nil)}, "nothing": nil},
		},
		"certificates of both sides": {
			func(o *server.Options) {
				o.TLSConfig = ours.config(t)
				o.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
			},
			options{trust(ours.pool, ours.config(t).Certificates)},
			map[string]options{"no certificate": {trust(ours.pool, nil)}, "that of another authority": {trust(ours.pool, foreign.config(t).Certificates)}},
		},
		"user and password": {
			func(o *server.Options) { o.Username, o.Password = "node", secret },
			options{natsgo.UserInfo("node", secret)},
			map[string]options{"another password": {natsgo.UserInfo("node", wrong)}, "nothing": nil},
		},
		"token": {
			func(o *server.Options) { o.Authorization = secret },
			options{natsgo.Token(secret)},
			map[string]options{"another token": {natsgo.Token(wrong)}, "nothing": nil},
		},
		"key": {
			func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: name}} },
			options{natsgo.Nkey(name, sign)},
			map[string]options{"a key it does not know": {natsgo.Nkey(strange, signStrange)}, "another key": {natsgo.Nkey(name, signStrange)}, "nothing": nil},
		},
		"file with credentials": {
			func(opts *server.Options) {
				opts.TrustedOperators, opts.AccountResolver = []*jwt.OperatorClaims{o.operator}, o.accounts
			},
			options{natsgo.UserCredentials(o.file)},
			map[string]options{"that of another operator": {natsgo.UserCredentials(o.stranger)}, "no such file": {natsgo.UserCredentials(o.file + "x")}, "nothing": nil},
		},
		"TLS and a password": {
			func(o *server.Options) { o.TLSConfig, o.Username, o.Password = ours.config(t), "node", secret },
			options{trust(ours.pool, nil), natsgo.UserInfo("node", secret)},
			map[string]options{"no password": {trust(ours.pool, nil)}, "another authority": {trust(foreign.pool, nil), natsgo.UserInfo("node", secret)}},
		},
	} {
		t.Run(what, func(t *testing.T) {
			opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
			c.asks(opts)
			s := &external{opts: opts}
			s.start(t)
			t.Cleanup(s.stop) // after the nodes have gone
			for with, options := range c.bad {
				refused := cluster.New(nats.New(s.url, options...), cluster.Options{})
				kit.Peer(t, erpc.PeerConfig{}, refused)
				err := refused.Start(t.Context())
				if err == nil || strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %v, want an error that does not reveal it", with, err)
				}
			}
			again := []natsgo.Option{natsgo.ReconnectWait(10 * time.Millisecond), natsgo.ReconnectJitter(0, 0)}
			var nodes []*node
			for range 2 {
				nodes = append(nodes, newNode(t, nats.New(s.url, append(again, c.good...)...)))
			}
			knows(t, nodes)
			sess, got := nodes[0].client(t)
			check(t, nodes[0].Join(t.Context(), sess, "room"))
			check(t, nodes[1].Publish(t.Context(), "room", "/said", "before"))
			if text := kit.Await(t, "push", got); text != "before" {
				t.Errorf("got %q", text)
			}
			s.stop()
			s.start(t)
			kit.Eventually(t, kit.Bound, "a push over the next connection", func() bool {
				_ = nodes[1].Publish(t.Context(), "room", "/said", "after") // the server is down at first
				time.Sleep(10 * time.Millisecond)
				return len(got) > 0
			})
		})
	}
}

// An external is a server that can be restarted at the same address.
type external struct {
	opts   *server.Options
	url    string
	server *server.Server
}

func (s *external) start(t testing.TB) {
	t.Helper()
	var err error
	s.server, err = server.NewServer(s.opts.Clone())
	check(t, err)
	s.server.Start()
	if !s.server.ReadyForConnections(kit.Bound) {
		t.Fatal("the server is not ready")
	}
	addr := s.server.Addr().(*net.TCPAddr)
	s.opts.Port, s.url = addr.Port, "nats://"+addr.String()
}

func (s *external) stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// Servers of a mesh let in servers with a certificate of their authority and the
// password; a server that lacks one of these stays alone, and reports why.
func TestMeshLetsInServersWithCertificateAndPassword(t *testing.T) {
	kit.NoLeaks(t)
	ours, foreign := newAuthority(t), newAuthority(t)
	config := func(a *authority, password string) embed.Config {
		cfg := embed.Config{Listen: "127.0.0.1:0", User: "mesh", Password: password}
		if a != nil {
			cfg.TLS = a.config(t)
			cfg.TLS.ClientCAs = nil // those of RootCAs
		}
		return cfg
	}
	var log kit.Log // of all servers: which one reports it depends on which one refuses
	cfg := config(ours, "right")
	cfg.Logger = slog.New(&log)
	first := start(t, cfg)
	nodes := []*node{newNode(t, first.Engine())}
	cfg = config(ours, "right")
	cfg.Routes = []string{first.MeshAddr()}
	nodes = append(nodes, newNode(t, start(t, cfg).Engine()))
	knows(t, nodes)
	for name, certs := range map[string][]tls.Certificate{"none": nil, "one of another authority": foreign.config(t).Certificates} {
		conn, err := tls.Dial("tcp", first.MeshAddr(), &tls.Config{RootCAs: ours.pool, Certificates: certs, MinVersion: tls.VersionTLS12})
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // with TLS 1.3 the client learns it now
			_ = conn.Close()
		}
		if err == nil {
			t.Errorf("certificate: %s: the server speaks with the client", name)
		}
	}
	for name, c := range map[string]struct {
		cfg  embed.Config
		says string // in the log
	}{
		"another password":        {config(ours, "wrong"), "Authorization Violation"},
		"without TLS":             {config(nil, "right"), "TLS route handshake error"},
		"of another authority":    {config(foreign, "right"), "TLS route handshake error"},
		"trusts, but not trusted": {withCertificateOf(t, config(ours, "right"), foreign), "TLS route handshake error"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Logger = slog.New(&log)
			before := len(log.Says(c.says))
			c.cfg.Routes = []string{first.MeshAddr()}
			refused := start(t, c.cfg)
			kit.Eventually(t, kit.Bound, "a server says that it was refused", func() bool { return len(log.Says(c.says)) > before })
			n := newNode(t, refused.Engine()) // it tries to reach the others
			time.Sleep(300 * time.Millisecond)
			if got := n.Nodes(); len(got) > 0 {
				t.Errorf("it knows %q", got)
			}
			if got := nodes[0].Nodes(); len(got) != 1 {
				t.Errorf("the mesh knows %q", got)
			}
		})
	}
	for name, cfg := range map[string]*tls.Config{"no certificate": {RootCAs: ours.pool}, "no authority": {Certificates: ours.config(t).Certificates}} {
		if s, err := embed.Start(embed.Config{Listen: "127.0.0.1:0", TLS: cfg}); err == nil {
			s.Close()
			t.Errorf("TLS with %s: the server started", name)
		}
	}
}

func withCertificateOf(t testing.TB, cfg embed.Config, a *authority) embed.Config {
	t.Helper()
	cfg.TLS.Certificates = a.config(t).Certificates
	return cfg
}
