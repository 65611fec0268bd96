// Package embed runs a NATS server in the process of a node, alone or as part
// of a mesh. The server can store rooms with history.
package embed

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	engine "github.com/goerpc/erpc/cluster/nats"
)

// A Config configures a [Server]. The zero value is a server for this process
// alone, which does not listen.
type Config struct {
	// Name must be unique in the mesh. "" means a random name.
	Name string `yaml:"name" ini:"name" comment:"Name in the mesh, which must be unique; empty is a random one"`
	// Listen is the address for the other servers of the mesh, such as
	// "10.0.0.1:6222"; "" means no mesh.
	Listen string `yaml:"listen" ini:"listen" comment:"Address at which other servers of the mesh reach this one; empty makes no mesh"`
	// Routes lists addresses of other servers of the mesh. One that is alive is
	// enough.
	Routes []string `yaml:"routes" ini:"routes" comment:"Addresses of other servers of the mesh"`
	// User and Password are the credentials between the servers of the mesh. They
	// are mandatory unless Listen is a loopback address.
	User     string `yaml:"user" ini:"user" comment:"What servers of the mesh show one another; mandatory unless listen is a loopback address"`
	Password string `yaml:"password" ini:"password" comment:"The password to it"`
	// TLS encrypts the connections between the servers of the mesh. Both sides
	// present its Certificates, which must be issued by an authority in RootCAs.
	// ClientCAs defaults to RootCAs. If TLS is nil, nothing is encrypted, including
	// the password, so the network must be protected in another way.
	TLS *tls.Config `yaml:"-" ini:"-"`
	// MaxPayload is the maximum size of a message between nodes, in bytes. 0 means
	// 8 MiB.
	MaxPayload int32 `yaml:"max_payload" ini:"max_payload" comment:"Largest message between nodes, in bytes; 0 is 8 MiB"`
	// Ready is how long Start waits for the server. 0 means 10 s.
	Ready time.Duration `yaml:"ready" ini:"ready" comment:"How long the start waits for the server; 0s is 10s"`
	// Store configures where the server stores rooms with history. It takes a
	// single server, or a mesh of three servers that keep their names and
	// directories. nil means that the server stores nothing.
	Store *Store `yaml:"store" ini:"store" comment:"Where the server keeps rooms with history; left out, it keeps none"`
	// Logger receives warnings and errors of the server. nil discards them.
	Logger *slog.Logger `yaml:"-" ini:"-"`
}

// A Store is a directory for JetStream.
type Store struct {
	// Dir is the directory, which only this server may use.
	Dir string `yaml:"dir" ini:"dir" comment:"Directory of this server alone"`
	// MaxBytes bounds the size of the directory; 0 means 1 GiB. The same bound
	// applies to messages stored in memory.
	MaxBytes int64 `yaml:"max_bytes" ini:"max_bytes" comment:"Bytes that the directory holds; 0 is 1 GiB"`
}

// A Server is a running server.
type Server struct {
	server *server.Server
	log    *log
	user   nats.Option
	store  engine.Store
}

// Start runs a server. It returns an error if the server can't serve.
func Start(cfg Config) (*Server, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	l := &log{to: cfg.Logger, fatal: make(chan error, 1)}
	s.SetLoggerV2(l, false, false, false)
	running := &Server{s, l, nats.UserInfo(opts.Username, opts.Password), cfg.store()}
	s.Start()
	ready := cfg.Ready
	if ready <= 0 {
		ready = 10 * time.Second
	}
	if err := running.await(ready, cfg.Listen != ""); err != nil {
		running.Close()
		return nil, err
	}
	return running, nil
}

// await returns nil when the server is ready, or its fatal error.
func (s *Server) await(limit time.Duration, mesh bool) error {
	const step = 5 * time.Millisecond
	for end := time.Now().Add(limit); ; {
		ready := s.server.ReadyForConnections(step) && (!mesh || s.server.ClusterAddr() != nil)
		select {
		case err := <-s.log.fatal:
			return err
		default:
		}
		if ready {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("embed: the server is not ready after %v", limit)
		}
	}
}

// MeshAddr returns the address for the other servers of the mesh, or "" without
// a mesh.
func (s *Server) MeshAddr() string {
	if a := s.server.ClusterAddr(); a != nil {
		return a.String()
	}
	return ""
}

// ConnectOptions returns options with which this process can connect to the
// server directly, for uses beyond the engine.
func (s *Server) ConnectOptions() []nats.Option {
	return []nats.Option{nats.InProcessServer(s.server), s.user}
}

// Engine returns the engine of a node of this process.
func (s *Server) Engine() *engine.Engine {
	e := engine.FromDial(func(own ...nats.Option) (*nats.Conn, error) {
		return nats.Connect("", append(s.ConnectOptions(), own...)...)
	})
	e.Store = s.store
	return e
}

// Close ends the server and waits until it has ended. Close the clusters that use
// its engine first.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

func (c *Config) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: c.Name,
		DontListen: true,
		NoSigs:     true, // otherwise a signal ends the process
		MaxPayload: c.MaxPayload,
		Username:   "node",
		Password:   rand.Text(),
	}
	if opts.MaxPayload <= 0 {
		opts.MaxPayload = 8 << 20
	}
	if err := c.keep(opts); err != nil {
		return nil, err
	}
	if c.Listen == "" {
		if len(c.Routes) > 0 {
			return nil, errors.New("embed: Routes needs Listen; set the address for the other servers of the mesh")
		}
		return opts, nil
	}
	host, port, err := c.mesh()
	if err != nil {
		return nil, err
	}
	secure, err := c.secure()
	if err != nil {
		return nil, err
	}
	// A server that does not listen for clients starts no routes either, so it
	// listens on the loopback address, protected by the password.
	opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
	opts.Cluster = server.ClusterOpts{Name: "erpc", Host: host, Port: port, Username: c.User, Password: c.Password, TLSConfig: secure}
	for _, r := range c.Routes {
		u := &url.URL{Scheme: "nats", Host: r}
		if c.User != "" {
			u.User = url.UserPassword(c.User, c.Password)
		}
		opts.Routes = append(opts.Routes, u)
	}
	return opts, nil
}

// log is the logger of a server. By default the server ends the process on a
// fatal error; log reports the error instead.
type log struct {
	to    *slog.Logger
	once  sync.Once
	fatal chan error // buffered: room for one
}

func (l *log) say(level slog.Level, format string, v []any) {
	if l.to != nil {
		l.to.Log(noContext, level, "embed: "+fmt.Sprintf(format, v...))
	}
}

func (l *log) Noticef(string, ...any) {}
func (l *log) Debugf(string, ...any)  {}
func (l *log) Tracef(string, ...any)  {}

// Warnf passes a warning on, except that passwords should be kept as hashes: the one of
// clients is random, and of a route both ends need it.
func (l *log) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords detected") {
		l.say(slog.LevelWarn, format, v)
	}
}

func (l *log) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }
func (l *log) Fatalf(format string, v ...any) {
	l.say(slog.LevelError, format, v)
	l.once.Do(func() { l.fatal <- fmt.Errorf("embed: "+format, v...) })
}
