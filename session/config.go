package session

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/internal/workerpool"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// An Owner keeps the table of the sessions. Its methods are called without any
// lock of this package.
type Owner interface {
	Peer
	// Bind makes s the session with that id. The session that had the id ends.
	Bind(s *Engine, id string)
	// Gone is called when s has ended for good.
	Gone(s *Engine)
}

// A Config says how the sessions of one owner behave.
type Config struct {
	Owner     Owner
	Routes    Routes
	Hooks     *atomic.Pointer[Hooks] // of the owner; never nil inside
	Socket    *socket.Config
	BodyCodec byte // of messages that name none
	Logger    *slog.Logger

	SessionAge       time.Duration // after which a session ends; 0: never
	ContextAge       time.Duration // bounds each call and push; 0: nothing does
	CallLimit        time.Duration // of calls of this side without a time limit of their own; 0: none
	HandshakeTimeout time.Duration // for the connect hooks; 0: none

	MaxHandlers        int // of the owner, at the same time
	MaxSessionHandlers int // the same for one session
	InflightLimit      int // bytes of one session that are being handled or wait as replies, and as many of decoded arguments; 0: no limit

	DecodeMemory       int64 // bytes that all decodes in progress may take; 0: no limit
	MaxStreams         int   // open at the same time by the other side of a session; 0: no limit
	StreamMemory       int64 // bytes that the inboxes of all streams may hold; 0: no limit
	StreamMessageLimit int   // bytes of one message of a stream, as encoded; 0: 4 MiB

	CountTime     bool                       // measure each call and push, and log it
	PrintDetail   bool                       // log metadata and body too
	Slow          time.Duration              // a call or push that takes this long is logged as a warning; 0: none
	ErrorDetail   bool                       // tell the other side the text of errors and panics
	RedialOn      func(*message.Status) bool // whether another attempt follows a failed one; nil: always
	RedialTimes   int                        // attempts after a connection broke; < 0: unlimited
	RedialFirst   time.Duration              // before the second attempt
	RedialLongest time.Duration              // longest wait between two attempts
}

// Shared is what the sessions of one owner have in common: their configuration,
// which does not change, the workers that run their handlers, and their counters.
type Shared struct {
	Config
	totals       totals // of connections that have ended
	print        logging.Printer
	streamMemory *stream.Memory
	decoding     *decodeBudget // nil: no limit
	places       allPlaces
	workers      workerpool.Pool[*exchange]
	watchdog     watchdog
	pushLog      pushLog
	errorLog     errorLog
	runs         runLog
	wakes        sync.Pool
	cmds         sync.Pool // of commands that only their caller sees
}

// DefaultDecodeMemory is how many bytes the decodes in progress of an owner may take.
const DefaultDecodeMemory = 256 << 20

// Defaults of streams.
const (
	DefaultMaxStreams         = 1000
	DefaultStreamMemory       = 256 << 20 // bytes
	DefaultStreamMessageLimit = 4 << 20   // bytes
)

// maxParked is how many workers are kept for the next burst.
const maxParked = 256

// NewShared returns what the sessions of cfg.Owner share.
func NewShared(cfg Config) *Shared {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sh := &Shared{Config: cfg, print: logging.Printer{L: cfg.Logger}}
	if sh.StreamMessageLimit <= 0 {
		sh.StreamMessageLimit = DefaultStreamMessageLimit
	}
	sh.runs.cfg = &sh.Config
	sh.streamMemory = stream.NewMemory(sh.StreamMemory)
	sh.errorLog.init()
	if sh.DecodeMemory > 0 {
		sh.boundDecoding(sh.DecodeMemory)
	}
	// Eager: calls that wait weigh little, and each may become a large reply.
	sh.workers.Max, sh.workers.Do, sh.workers.Eager = maxParked, (*exchange).serveOnWorker, true
	sh.wakes.New = func() any { return make(chan struct{}, 1) }
	sh.cmds.New = func() any { return &CallCmd{wake: make(chan struct{}, 1)} }
	return sh
}

// Handlers returns how many handlers are at work. A handler whose reply is still
// being written counts.
func (sh *Shared) Handlers() int { return int(sh.places.handlers.Load()) }

// A Dial makes a connection, ready for use.
type Dial func(ctx context.Context) (net.Conn, *message.Status)

// boundDecoding bounds the memory of all decodes in progress to n bytes. It must
// be called before there are sessions.
func (sh *Shared) boundDecoding(n int64) {
	sh.decoding = &decodeBudget{limit: n}
	cfg := *sh.Socket
	cfg.DecodeRoom = sh.decoding
	sh.Socket = &cfg
}

// limitDecoding gives m, whose body was taken from another message, the decoding
// limits of a message that a socket has read.
func (sh *Shared) limitDecoding(m *message.Message) {
	m.SetCodecs(sh.Socket.Codecs)
	m.SetReadLimit(sh.Socket.ReadLimit)
	m.SetDecodeRoom(sh.Socket.DecodeRoom)
}
