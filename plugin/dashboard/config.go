package dashboard

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/goerpc/erpc"
)

// Config configures a [Dashboard]. The zero value shows, changes nothing, and waits
// to be mounted in a server.
type Config struct {
	// Listen is a loopback address that the dashboard serves itself on, such as
	// 127.0.0.1:9091. "" is none.
	Listen string `yaml:"listen" ini:"listen" comment:"Loopback address to serve the dashboard on, such as 127.0.0.1:9091; empty is none"`
	// Hosts are further names that the dashboard is asked under. IP addresses and
	// localhost are always allowed; every other name must be listed, because a page
	// of a stranger can make its own name resolve to this machine (DNS rebinding).
	Hosts []string `yaml:"hosts" ini:"hosts" comment:"Names of hosts under which browsers may ask for the dashboard, besides localhost and IP addresses"`
	// Actions lets viewers end sessions, push to them, call methods of this peer and
	// set the level of the log. It needs Authorize: set that before you read a file
	// in which actions are on.
	Actions bool `yaml:"actions" ini:"actions" comment:"Let viewers end sessions, push, call methods and set the level of the log; the program must say who may"`
	// Target is the peer in the command that the call form shows, as the command
	// erpc takes it: tls://example.org:9090. "" is the address of the first listener.
	Target string `yaml:"target" ini:"target" comment:"Target of the erpc command that the call form shows; empty is the address of the first listener"`

	// Authorize decides over each request, those for pages included; an error
	// refuses it and is logged, at most one each second, not shown. Actions are the requests with the method
	// POST. Nil lets everybody look who reaches the dashboard.
	Authorize func(*http.Request) error `yaml:"-" ini:"-"`
	// Challenge is the header WWW-Authenticate of what Authorize refuses, which is then
	// 401 in place of 403: with Basic realm="erpc" browsers ask for a password.
	Challenge string `yaml:"challenge" ini:"challenge" comment:"WWW-Authenticate of a refusal; Basic realm=\"erpc\" makes browsers ask for a password"`
	// User names whose session it is; nil is the user of the cluster, or the identity
	// of plugin/auth. It may be called concurrently, and for every session while
	// somebody filters them, so it must be quick.
	User func(erpc.Session) string `yaml:"-" ini:"-"`
	// Cluster adds users, rooms and nodes.
	Cluster Cluster `yaml:"-" ini:"-"`
	// Level is the level of the log that an action sets.
	Level *slog.LevelVar `yaml:"-" ini:"-"`
}

// A Cluster tells of the nodes and rooms that a peer is part of. A *cluster.Cluster
// is one. The methods may be called concurrently.
type Cluster interface {
	Node() string
	Nodes() []string // others that live
	Rooms(erpc.Session) []string
	User(erpc.Session) string
}

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	if c.Actions && c.Authorize == nil {
		return errors.New("dashboard: actions need Config.Authorize, which says who may do them")
	}
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("dashboard: listen: %w; write an address such as 127.0.0.1:9091", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("dashboard: %s is not a loopback address; to serve others, mount the handler in a server with TLS and Config.Authorize", c.Listen)
	}
	return nil
}
