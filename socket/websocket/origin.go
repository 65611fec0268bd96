package websocket

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// allowed reports whether the page that made r may connect. Programs send no Origin.
// Browsers always send one line of it, which a page can't choose.
func (c Config) allowed(r *http.Request) bool {
	if c.AnyOrigin {
		return true
	}
	lines := r.Header.Values("Origin")
	if len(lines) == 0 || len(lines) == 1 && lines[0] == "" {
		return true
	}
	if len(lines) > 1 {
		return false // no browser does that
	}
	if lines[0] == "null" {
		return c.listed("null", "")
	}
	origin, err := url.Parse(lines[0])
	if err != nil {
		return false
	}
	switch origin.Scheme {
	case "ws", "wss": // erpc v7
		return true
	case "http", "https":
		if origin.Host != "" && strings.EqualFold(origin.Host, r.Host) {
			return c.named(r)
		}
	}
	return origin.Host != "" && c.listed(origin.Host, origin.Scheme+"://"+origin.Host)
}

// listed reports whether a pattern of Origins matches host or whole.
func (c Config) listed(host, whole string) bool {
	for _, pattern := range c.Origins {
		text := host
		if strings.Contains(pattern, "://") {
			text = whole
		}
		if matches(pattern, text) {
			return true
		}
	}
	return false
}

// named reports whether the host name that the browser used is one of this
// server's.
func (c Config) named(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	for _, pattern := range c.Hosts {
		if matches(pattern, host) {
			return true
		}
	}
	if len(c.Hosts) > 0 {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || !onLoopback(r) || forwarded(r) {
		return true
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// onLoopback reports whether r came to a loopback address.
func onLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// forwarded reports whether a proxy says that it has forwarded r. A page can't make
// its browser send these fields.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

func matches(pattern, text string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(text))
	return ok && err == nil
}
