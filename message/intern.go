package message

import (
	"maps"
	"sync"
	"sync/atomic"
)

// known holds the methods that this process serves, so that a method read from
// the wire becomes a string without allocating. It grows with registrations, never
// with what a peer sends, and is only a cache: nothing depends on its content.
var known struct {
	sync.Mutex // serialises Know
	table      atomic.Pointer[map[string]string]
}

// Know makes [Intern] return method without allocating. Routers call it for each
// method that is registered.
func Know(method string) {
	known.Lock()
	defer known.Unlock()
	next := map[string]string{}
	if old := known.table.Load(); old != nil {
		next = maps.Clone(*old)
	}
	next[method] = method
	known.table.Store(&next)
}

// Intern returns string(b).
func Intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if t := known.table.Load(); t != nil {
		if s, ok := (*t)[string(b)]; ok {
			return s
		}
	}
	return string(b)
}
