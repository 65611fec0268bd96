package session

import (
	"net"
	"time"
)

// A side that ends what it sends may still read, as a program does that writes its
// calls and then shuts down its half of the connection. Nobody can tell that from
// a side that is gone before something is written to it. So the handlers at work
// may finish, for as long as they get on, and their replies are written. Calls of
// this side end at once, because nothing will answer them.
//
// A side that is proven to be of this package has gone: it never closes half a
// connection. Nor does a connection linger that can be replaced by dialing: the
// session moves on at once.

// maxHalfClosed is how long no handler may end, and no byte be taken, until a side
// that sends no more is held to be gone.
const maxHalfClosed = 3 * time.Second

// halfCloses reports whether one side of nc can end what it sends while it still
// reads. That of a WebSocket, for example, is the end of both directions.
func halfCloses(nc net.Conn) bool {
	for {
		if _, can := nc.(interface{ CloseWrite() error }); !can {
			return false
		}
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return true
		}
		nc = wrapper.NetConn()
	}
}

// A stallWatch ends something that makes no progress. Its functions are called one
// after another, on goroutines of timers.
type stallWatch struct {
	longest  time.Duration // without progress
	progress func() uint64 // returns what changes while it gets on
	over     func() bool   // reports whether there is nothing left to watch
	stalled  func()        // ends it
}

// start watches from now. What happens after start has returned is progress.
func (w *stallWatch) start() { w.after(w.progress()) }

// after watches for progress beyond before.
func (w *stallWatch) after(before uint64) {
	time.AfterFunc(w.longest, func() {
		if w.over() {
			return
		}
		if now := w.progress(); now != before {
			w.after(now)
			return
		}
		w.stalled()
	})
}
