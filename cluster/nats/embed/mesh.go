package embed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

var noContext = context.Background() // the server's log calls have no context

// mesh returns where the server listens for other servers.
func (c *Config) mesh() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("embed: Listen: %w", err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("embed: Listen %q: the port must be a number up to 65535", c.Listen)
	}
	addr, err := netip.ParseAddr(host)
	loopback := err == nil && addr.IsLoopback() || host == "localhost"
	if !loopback && (c.User == "" || c.Password == "") {
		return "", 0, fmt.Errorf("embed: Listen %q is reachable from other machines: set User and Password", c.Listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// secure returns the TLS configuration for both sides of the routes, or nil
// without TLS.
func (c *Config) secure() (*tls.Config, error) {
	if c.TLS == nil {
		return nil, nil
	}
	if len(c.TLS.Certificates) == 0 || c.TLS.RootCAs == nil {
		return nil, errors.New("embed: TLS of a mesh needs Certificates and RootCAs")
	}
	both := c.TLS.Clone()
	both.ClientAuth = tls.RequireAndVerifyClientCert
	if both.ClientCAs == nil {
		both.ClientCAs = both.RootCAs
	}
	return both, nil
}
