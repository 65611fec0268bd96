// Package embed runs a NATS server in the process of a node: a single one, or a
// part of a mesh. It can keep rooms with history.
package embed

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	engine "github.com/goerpc/erpc/cluster/nats"
)

// A Config configures a [Server]. The zero value is a server for this process
// alone, that listens nowhere.
type Config struct {
	// Name must be unique in the mesh. "" is a random one.
	Name string
	// Listen is where other servers of the mesh reach this one, such as
	// "10.0.0.1:6222"; "" makes no mesh.
	Listen string
	// Routes are addresses of other servers of the mesh. One that lives is enough.
	Routes []string
	// User and Password are what servers of the mesh show one another. They are
	// mandatory unless Listen is a loopback address.
	User, Password string
	// TLS encrypts what servers of the mesh send one another. Its Certificates are shown
	// by both sides, and must be of an authority in RootCAs; ClientCAs are the same unless
	// they are set. nil encrypts nothing: then the network must be one that nobody else
	// reads, as the password is sent over it, too.
	TLS *tls.Config
	// MaxPayload is how large a message between nodes may be, in bytes. 0 is 8 MiB.
	MaxPayload int32
	// Ready is how long Start waits for the server. 0 is 10 s.
	Ready time.Duration
	// Store is where the server keeps rooms with history: on one server, or on three
	// of a mesh that keep their names and directories. nil keeps none.
	Store *Store
	// Logger gets warnings and errors of the server. nil discards them.
	Logger *slog.Logger
}

// A Store is a directory for JetStream.
type Store struct {
	// Dir belongs to this server alone.
	Dir string
	// MaxBytes is how much the directory holds; 0 is 1 GiB. Memory is bounded by the
	// same.
	MaxBytes int64
}

// A Server is one that runs. Close ends it.
type Server struct {
	server *server.Server
	log    *log
	user   nats.Option
	store  engine.Store
}

// Start runs a server. What keeps it from serving comes back as an error.
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

// await returns when the server serves, or what it says instead.
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

// MeshAddr returns where other servers of the mesh reach this one, "" without mesh.
func (s *Server) MeshAddr() string {
	if a := s.server.ClusterAddr(); a != nil {
		return a.String()
	}
	return ""
}

// ConnectOptions are those with which a program of this process connects to the
// server, for what the engine does not do.
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
		NoSigs:     true, // else a signal ends the process
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
			return nil, errors.New("embed: Routes without Listen; the servers of a mesh listen")
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
	// A server that does not listen for clients starts no routes either, so it does on
	// the loopback address, for whoever knows the password.
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

// log takes what a server has to say. The server's own way with a fatal error is
// to end the process.
type log struct {
	to    *slog.Logger
	once  sync.Once
	fatal chan error // has room for one
}

func (l *log) say(level slog.Level, format string, v []any) {
	if l.to != nil {
		l.to.Log(noContext, level, "embed: "+fmt.Sprintf(format, v...))
	}
}

func (l *log) Noticef(string, ...any)         {}
func (l *log) Debugf(string, ...any)          {}
func (l *log) Tracef(string, ...any)          {}
func (l *log) Warnf(format string, v ...any)  { l.say(slog.LevelWarn, format, v) }
func (l *log) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }
func (l *log) Fatalf(format string, v ...any) {
	l.say(slog.LevelError, format, v)
	l.once.Do(func() { l.fatal <- fmt.Errorf("embed: "+format, v...) })
}
