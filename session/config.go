package session

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/internal/workerpool"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// An Owner keeps the table of the sessions. Its methods are called without any
// lock of this package.
type Owner interface {
	Peer
	// Bind makes c the session with that id. The one that had it ends.
	Bind(c *Conn, id string)
	// Gone tells that c has ended for good.
	Gone(c *Conn)
}

// A Config is what the sessions of one owner share. It must not be changed once
// [Config.Start] was called.
type Config struct {
	Owner     Owner
	Routes    Dispatcher
	Hooks     *atomic.Pointer[Hooks] // of the owner; never nil inside
	Socket    *socket.Config
	BodyCodec byte // of messages that name none
	Logger    *slog.Logger

	SessionAge       time.Duration // a session ends that old; 0: never
	ContextAge       time.Duration // bounds each call and push; 0: nothing does
	CallLimit        time.Duration // of calls from here that bring no time of their own; 0: none
	HandshakeTimeout time.Duration // for the connect hooks; 0: none

	MaxHandlers        int // of the owner that work at the same time
	MaxSessionHandlers int // the same for one session
	InflightLimit      int // bytes of one session that are being handled or wait as replies; 0: no limit

	CountTime     bool          // measure each call and push, and log it
	PrintDetail   bool          // log metadata and body too
	Slow          time.Duration // a call or push that takes this long is a warning; 0: none is
	PanicDetail   bool          // tell the caller what a handler panicked with
	RedialTimes   int           // attempts after a connection broke; < 0: without end
	RedialFirst   time.Duration // before the first attempt but one
	RedialLongest time.Duration // between two attempts

	totals   totals // of connections that have ended
	print    logging.Printer
	handlers atomic.Int64 // at work, other than in a leader's place
	workers  workerpool.Pool[*exchange]
	watch    watcher
	wakes    sync.Pool
	cmds     sync.Pool // of commands that nobody but their caller sees
}

// maxParked is how many workers are kept for the next burst.
const maxParked = 256

// Start completes c. It must be called once, before the first session.
func (c *Config) Start() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.print = logging.Printer{L: c.Logger}
	c.workers.Max, c.workers.Do = maxParked, (*exchange).serveAside
	c.wakes.New = func() any { return make(chan struct{}, 1) }
	c.cmds.New = func() any { return &CallCmd{wake: make(chan struct{}, 1)} }
}

// Handlers returns how many handlers work at the moment.
func (c *Config) Handlers() int { return int(c.handlers.Load()) }

// A Dial makes a connection, ready for use.
type Dial func(ctx context.Context) (net.Conn, *message.Status)

// internalError is the status of a panic. What it was is logged, and sent only
// if the configuration asks for that.
func (c *Config) internalError(err *message.PanicError) *message.Status {
	c.Logger.Error("panic", "where", err.Where, "panic", err.Value, "stack", string(err.Stack))
	if c.PanicDetail {
		return message.NewStatus(message.CodeInternalServerError, message.CodeText(message.CodeInternalServerError), err.Value)
	}
	return message.NewStatus(message.CodeInternalServerError, message.CodeText(message.CodeInternalServerError), "")
}
