package rig

import (
	"time"

	"github.com/goerpc/erpc/bench/rig/benchpb"
)

// The workloads.
const (
	Call  = "call"  // the benchmark message, decoded, answered and checked
	Bytes = "bytes" // a body of Size bytes, sent back as it came
	Push  = "push"  // the server pushes Size bytes to each of Conns sessions
)

// Config tells a peer what to serve or to dial. A peer may ignore fields that
// it does not support: the runner sets Meta, Plugins and Filter only for peers
// that have them.
type Config struct {
	Workload string
	Addr     string // where to listen, or to dial: 127.0.0.1:port, or a path of Unix
	// Transport is one of TCP, TLS, Unix, WebSocket and QUIC. The runner sets only
	// transports that the variant has.
	Transport string
	Codec     string        // of Call: "" is the variant's own, "json" its JSON
	Pad       int           // of Call: bytes that make the message larger
	Block     time.Duration // of Call: how long a handler waits before it answers
	Hot       int           // of clients: callers that never pause on the first session, beside those measured

	Callers int    // of clients: how many goroutines will call
	Conns   int    // of clients: how many sessions to open; 1 except where a test is about many
	Size    int    // of Bytes and Push: length of a body in bytes
	Meta    int    // metadata entries on each call
	Plugins int    // plugins on both sides, each with a hook for every stage of a call
	Filter  string // transfer filter of calls and replies: "", "gzip" or "s2"

	// OnPush must be called by clients of Push with the body of each message. It
	// may be called concurrently and does not keep the body.
	OnPush func(body []byte)
}

// A Variant is one way to use a framework.
type Variant struct {
	Name string
	// Serve starts a server and returns once it listens on c.Addr.
	Serve func(c Config) (*Server, error)
	// Dial opens c.Conns sessions.
	Dial func(c Config) (*Client, error)
}

// A Server is a running server.
type Server struct {
	// Push sends body to every session once and returns their number. It is nil if
	// the variant can't push. Only one goroutine calls it.
	Push func(body []byte) (sent int, err error)
}

// A Client is a set of open sessions.
type Client struct {
	// NewCaller returns the function that makes one call, waits for its reply
	// and checks it. It is used by one goroutine, and i is its number, below
	// Config.Callers: with several sessions caller i may keep to those
	// congruent to i. It is nil
	// for Push.
	NewCaller func(i int) func() error
	// Joined returns how many sessions have come and gone so far, beside those
	// that stay; nil if none do. It may be called concurrently.
	Joined func() uint64
}

// Work must be called by handlers of Call before they answer.
func (c Config) Work() {
	if c.Block > 0 {
		time.Sleep(c.Block)
	}
}

// A Message is the benchmark message in either of its forms.
type Message interface {
	Tag(n uint32)
	Pad(n int)
	Answer()
	Check(n uint32) error
}

// NewRequest returns the request of Call in the form for c.Codec: the plain
// struct for JSON, otherwise protobuf.
func (c Config) NewRequest() Message {
	if c.Codec == "json" {
		return benchpb.NewPlain()
	}
	return benchpb.NewRequest()
}

// NewReply returns an empty message of the same form.
func (c Config) NewReply() Message {
	if c.Codec == "json" {
		return new(benchpb.Plain)
	}
	return new(benchpb.Message)
}
