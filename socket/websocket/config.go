package websocket

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// A Config says how connections are made and accepted. Its zero value works.
type Config struct {
	// Path is that of the endpoint, "/" if empty. Listeners answer others with
	// 404.
	Path string
	// Messages makes connections that keep the boundaries of messages.
	Messages bool
	// Origins are patterns, as of [path.Match], of the hosts whose pages may
	// connect, besides the host that serves the page. Only browsers are
	// checked: clients that send no Origin, or one that is not of http or
	// https as those of erpc v7, can't be abused by a page.
	Origins []string
	// AnyOrigin switches that check off.
	AnyOrigin bool
	// Compress offers and accepts permessage-deflate.
	Compress bool
	// ReadLimit is the largest message, in bytes. 0 is 64 MiB. That of the
	// peer counts besides.
	ReadLimit int64
	// Ping is the time between two pings; a connection whose other side does
	// not answer one within that time ends. 0 is 30 s, below 0 is never.
	Ping time.Duration
	// Header is sent with the handshake of a dialed connection.
	Header http.Header
	// Check, which may be nil, decides about a request before it is upgraded.
	// It answers a request that it refuses. [Tag] returns tag of a connection
	// that it allowed.
	Check func(http.ResponseWriter, *http.Request) (tag any, ok bool)
}

// Defaults of [Config].
const (
	DefaultReadLimit = 64 << 20 // bytes
	DefaultPing      = 30 * time.Second
)

func (c Config) compression() websocket.CompressionMode {
	if c.Compress {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}

func (c Config) endpoint() string { return path.Join("/", c.Path) }

// allowed reports whether a page of the origin of r may connect.
func (c Config) allowed(r *http.Request) bool {
	from := r.Header.Get("Origin")
	origin, err := url.Parse(from)
	if c.AnyOrigin || err == nil && from != "null" && origin.Scheme != "http" && origin.Scheme != "https" {
		return true
	}
	if err != nil {
		return false
	}
	if strings.EqualFold(origin.Host, r.Host) {
		return true
	}
	for _, pattern := range c.Origins {
		if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(origin.Host)); ok && err == nil {
			return true
		}
	}
	return false
}
