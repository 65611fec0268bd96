package websocket

import (
	"net/http"
	"path"
	"time"

	"github.com/coder/websocket"
)

// A Config says how connections are made and accepted. Its zero value works.
type Config struct {
	// Path is that of the endpoint, "/" if empty. Listeners answer others with
	// 404.
	Path string `yaml:"path" ini:"path" comment:"Path of the endpoint; empty is /"`
	// Messages makes connections that keep the boundaries of messages.
	Messages bool `yaml:"messages" ini:"messages" comment:"Keep the boundaries of messages, as sub-protocols need"`
	// Text writes messages as text, which browsers pass to a page as a string. By
	// default a message is text if the last one of the other side was. A message that
	// is not valid UTF-8 is always binary.
	Text bool `yaml:"text" ini:"text" comment:"Write messages as text, which browsers hand to a page as a string"`
	// Protocols are the sub-protocols to choose from, the best first, if the other side
	// offers any, and those to offer when dialing. Browsers close a connection if the
	// server chooses none of those that the page offers.
	Protocols []string `yaml:"protocols" ini:"protocols" comment:"Sub-protocols to choose from or to offer, the best first"`
	// Origins are patterns, as of [path.Match], of the hosts whose pages may connect,
	// besides the host that serves the page. A pattern with "://" in it is compared
	// with scheme and host, such as "chrome-extension://abcdef"; "null" is the origin
	// of sandboxed pages and files. Only browsers are checked: clients that send no
	// Origin, or one of ws or wss as those of erpc v7, are not controlled by a page.
	Origins []string `yaml:"origins" ini:"origins" comment:"Patterns of hosts whose pages may connect, besides the host that serves the page"`
	// AnyOrigin switches the check of Origins off.
	AnyOrigin bool `yaml:"any_origin" ini:"any_origin" comment:"Pages of every host may connect"`
	// Hosts are patterns of the names, without port, under which browsers may reach
	// this server. If there are none, any name is served, except that on a loopback
	// address only loopback names and IP addresses are: otherwise a page could point
	// its own name there and be of the same origin (DNS rebinding). Without patterns,
	// requests that a proxy has forwarded, as their fields say, are not checked.
	Hosts []string `yaml:"hosts" ini:"hosts" comment:"Patterns of the names under which browsers may reach this server; none is every name, on a loopback address loopback names"`
	// Compress offers and accepts permessage-deflate.
	Compress bool `yaml:"compress" ini:"compress" comment:"Offer and accept permessage-deflate"`
	// ReadLimit is the largest message, in bytes. 0 means 64 MiB. The limit of the
	// peer applies too.
	ReadLimit int64 `yaml:"read_limit" ini:"read_limit" comment:"Largest message in bytes; 0 is 64 MiB"`
	// Ping is the time between two pings; a connection whose other side does not
	// answer one within that time ends. 0 means 30 s, a value below 0 never.
	Ping time.Duration `yaml:"ping" ini:"ping" comment:"Time between two pings; 0s is 30s, below 0 never"`
	// Header is sent with the handshake of a dialed connection.
	Header http.Header `yaml:"-" ini:"-"`
	// Check, which may be nil, decides about a request before it is upgraded. It
	// must answer a request that it refuses. [Tag] returns the tag of a connection
	// that it allowed.
	Check func(http.ResponseWriter, *http.Request) (tag any, ok bool) `yaml:"-" ini:"-"`
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

// readLimit returns the largest message of WebSocket in bytes. limit is that of the
// peer, 0 if unknown; it applies if messages of WebSocket are messages of erpc.
func (c Config) readLimit(limit int) int64 {
	most := c.ReadLimit
	if most <= 0 {
		most = DefaultReadLimit
	}
	if limit > 0 && c.Messages {
		most = min(most, int64(limit))
	}
	return most
}
