//go:build unix

package socket

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// A sink is a connection of the system that takes everything. before is called in front
// of each write.
type sink struct {
	syscall.RawConn
	to     *os.File
	before func()
}

func (s *sink) Write(f func(fd uintptr) bool) error {
	s.before()
	f(s.to.Fd())
	return nil
}

// A leader to whose queue others add writes no more than a turn. The pool does the rest.
func TestLeaderWritesOneTurn(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	const frame = 100_000
	var w *writer
	added := 0
	add := func() {
		if added < 100 {
			added++
			if lead, err := w.put(t.Context(), make([]byte, frame), putMode{own: true}); lead || err != nil {
				t.Errorf("another sender: lead %v, %v", lead, err)
			}
		}
	}
	w = newWriter(nil, &sink{to: null, before: add}, Config{})
	pool := w.cfg.flushers
	pool.running = runtime.GOMAXPROCS(0) // busy, as far as it knows
	w.state = writing
	add()
	w.flush(false)
	if n := w.moved.Load(); n < turnBytes || n >= turnBytes+frame {
		t.Errorf("the leader has written %d bytes, want about %d", n, turnBytes)
	}
	if next, _ := pool.todo.Pop(); next != w || w.state != scheduled {
		t.Errorf("the rest is not left to the pool: %v", w.state)
	}
}
