package websocket

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func request(local, host string, origins ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://placeholder/ws", nil)
	r.Host = host
	for _, o := range origins {
		r.Header.Add("Origin", o)
	}
	addr, err := net.ResolveTCPAddr("tcp", local)
	if err != nil {
		panic(err) // a mistake in a test
	}
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
}

func TestAllowed(t *testing.T) {
	const public, loopback = "192.0.2.1:80", "127.0.0.1:80"
	for _, c := range []struct {
		name        string
		cfg         Config
		local, host string
		origins     []string
		forwarded   string
		want        bool
	}{
		{name: "a program", local: public, host: "example.org", want: true},
		{name: "an empty line", local: public, host: "example.org", origins: []string{""}, want: true},
		{name: "a client of erpc v7", local: loopback, host: "example.org", origins: []string{"ws://example.org/ws"}, want: true},
		{name: "our page", local: public, host: "Example.org:8080", origins: []string{"https://example.org:8080"}, want: true},
		{name: "our page at another port", local: public, host: "example.org:8080", origins: []string{"https://example.org"}, want: false},
		{name: "a foreign page", local: public, host: "example.org", origins: []string{"https://evil.example"}, want: false},
		{name: "a friend", cfg: Config{Origins: []string{"*.friend.example"}}, local: public, host: "example.org", origins: []string{"https://www.friend.example"}, want: true},
		{name: "a friend, not over TLS", cfg: Config{Origins: []string{"https://*.friend.example"}}, local: public, host: "example.org", origins: []string{"http://www.friend.example"}, want: false},
		{name: "two lines", local: public, host: "example.org", origins: []string{"https://example.org", "https://evil.example"}, want: false},
		{name: "two lines, the first empty", local: public, host: "example.org", origins: []string{"", "https://evil.example"}, want: false},
		{name: "a sandboxed page", local: public, host: "example.org", origins: []string{"null"}, want: false},
		{name: "a sandboxed page that is a friend", cfg: Config{Origins: []string{"null"}}, local: public, host: "example.org", origins: []string{"null"}, want: true},
		{name: "any origin but null", cfg: Config{Origins: []string{"*"}}, local: public, host: "example.org", origins: []string{"https://evil.example"}, want: true},
		{name: "a file", local: public, host: "example.org", origins: []string{"file://"}, want: false},
		{name: "an extension", local: public, host: "example.org", origins: []string{"chrome-extension://abcdef"}, want: false},
		{name: "our extension", cfg: Config{Origins: []string{"chrome-extension://abcdef"}}, local: public, host: "example.org", origins: []string{"chrome-extension://abcdef"}, want: true},
		{name: "no URL", local: public, host: "example.org", origins: []string{"%zz"}, want: false},
		{name: "no host", local: public, host: "", origins: []string{"https://"}, want: false},
		{name: "switched off", cfg: Config{AnyOrigin: true}, local: public, host: "example.org", origins: []string{"null", "x"}, want: true},

		{name: "rebound to loopback", local: loopback, host: "evil.example:80", origins: []string{"http://evil.example:80"}, want: false},
		{name: "rebound, with a name that ends like ours", local: loopback, host: "xlocalhost", origins: []string{"http://xlocalhost"}, want: false},
		{name: "localhost", local: loopback, host: "localhost:80", origins: []string{"http://localhost:80"}, want: true},
		{name: "a name below localhost", local: loopback, host: "chat.localhost.", origins: []string{"http://chat.localhost."}, want: true},
		{name: "loopback by number", local: "[::1]:80", host: "[::1]:80", origins: []string{"http://[::1]:80"}, want: true},
		{name: "behind a proxy on this machine", local: loopback, host: "example.org", origins: []string{"https://example.org"}, forwarded: "198.51.100.7", want: true},
		{name: "rebound, our names are known", cfg: Config{Hosts: []string{"example.org"}}, local: public, host: "evil.example", origins: []string{"http://evil.example"}, want: false},
		{name: "one of our names", cfg: Config{Hosts: []string{"*.example.org"}}, local: loopback, host: "a.example.org:80", origins: []string{"http://a.example.org:80"}, want: true},
		{name: "a proxy does not make a name ours", cfg: Config{Hosts: []string{"example.org"}}, local: loopback, host: "evil.example", origins: []string{"http://evil.example"}, forwarded: "198.51.100.7", want: false},
	} {
		r := request(c.local, c.host, c.origins...)
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := c.cfg.allowed(r); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
