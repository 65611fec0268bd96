package session

import (
	"net"
	"time"
)

// A side that has closed its sending direction may still read, as a program does
// that writes its calls and then shuts down its half of the connection. Until
// something is written, it looks the same as a side that is gone. So the handlers
// at work may finish, as long as they make progress, and their replies are
// written. Calls of this side end at once, because no replies will come.
//
// A side that is proven to be of this package has gone: it never closes half a
// connection. A connection that can be redialed does not linger either: the
// session moves on at once.

// maxHalfClosed is how long no handler may end and no byte be taken until a side
// that sends no more is considered gone.
const maxHalfClosed = 3 * time.Second

// halfCloses reports whether a side of nc can close its sending direction and
// still read. A WebSocket, for example, closes both directions at once.
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

// A stallWatch ends an operation that makes no progress. Its functions are called
// one after another, on goroutines of timers.
type stallWatch struct {
	longest  time.Duration // without progress
	progress func() uint64 // returns a value that changes with progress
	over     func() bool   // reports whether there is nothing left to watch
	stalled  func()        // ends the operation
}

// start begins to watch. Whatever changes after it has returned is progress.
func (w *stallWatch) start() { w.after(w.progress()) }

// after watches for a value of progress other than before.
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
