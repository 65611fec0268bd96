package dashboard

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/goerpc/erpc"
)

// Config configures a [Dashboard]. The zero value is a read-only dashboard
// without a listener, to be mounted in a server.
type Config struct {
	// Listen is a loopback address that the dashboard listens on, such as
	// 127.0.0.1:9091; "" means none.
	Listen string `yaml:"listen" ini:"listen" comment:"Loopback address to serve the dashboard on, such as 127.0.0.1:9091; empty is none"`
	// Hosts lists further host names that browsers may use for the dashboard. IP
	// addresses and localhost are always allowed; every other name must be listed,
	// because an attacker's page can make its own name resolve to this machine
	// (DNS rebinding).
	Hosts []string `yaml:"hosts" ini:"hosts" comment:"Names of hosts under which browsers may ask for the dashboard, besides localhost and IP addresses"`
	// Actions lets viewers end sessions, push to them, call methods of this peer and
	// set the level of the log. It needs Authorize: set that before you read a file
	// in which actions are on.
	Actions bool `yaml:"actions" ini:"actions" comment:"Let viewers end sessions, push, call methods and set the level of the log; the program must say who may"`
	// Target is the address of this peer in the erpc command line that the call
	// form shows, such as tls://example.org:9090; "" means the address of the
	// first listener.
	Target string `yaml:"target" ini:"target" comment:"Target of the erpc command that the call form shows; empty is the address of the first listener"`

	// Authorize accepts or refuses each request, including those for pages. An
	// error refuses the request; it is logged, at most once per second, and not
	// shown. Actions are the POST requests. If Authorize is nil, everyone who can
	// reach the dashboard can view it.
	Authorize func(*http.Request) error `yaml:"-" ini:"-"`
	// Challenge is the WWW-Authenticate header for requests that Authorize
	// refuses; if it is set, their status is 401 instead of 403. With Basic
	// realm="erpc", browsers ask for a password.
	Challenge string `yaml:"challenge" ini:"challenge" comment:"WWW-Authenticate of a refusal; Basic realm=\"erpc\" makes browsers ask for a password"`
	// User returns the user of a session; if it is nil, the dashboard shows the
	// user of the cluster or the identity of plugin/auth. It must be safe for
	// concurrent use, and fast: filtering calls it for every session.
	User func(erpc.Session) string `yaml:"-" ini:"-"`
	// Cluster, if set, adds users, rooms and nodes to the pages.
	Cluster Cluster `yaml:"-" ini:"-"`
	// Level is the log level that an action can set.
	Level *slog.LevelVar `yaml:"-" ini:"-"`
}

// A Cluster knows the nodes and rooms that a peer is part of. *cluster.Cluster
// implements it. The methods must be safe for concurrent use.
type Cluster interface {
	Node() string
	Nodes() []string // the other nodes that are alive
	Rooms(erpc.Session) []string
	User(erpc.Session) string
}

// Validate returns the error in the configuration, if any.
func (c Config) Validate() error {
	if c.Actions && c.Authorize == nil {
		return errors.New("dashboard: actions need Config.Authorize; set it to decide who may use them")
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
