package socket

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/message"
)

// A goroutine that always finds something to read lets others on its processor run
// after a turn. Without that, the other one here would not run before the runtime
// preempts the reader. There are several turns, because now and then the scheduler
// resumes the goroutine that lets others run.
func TestReaderLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, k := range kinds {
		if k.name == "pipe" {
			continue // nothing arrives before the reader waits for it
		}
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			r := newSocket(b, Config{})
			read := func(seq int) {
				if _, err := a.Write(frameOf(t, call(seq, bytes.Repeat([]byte{1}, 500)))); err != nil {
					t.Fatal(err)
				}
				var m message.Message
				if err := r.Read(&m); err != nil || int(m.Seq()) != seq {
					t.Fatalf("message %d arrived as %d, %v", seq, m.Seq(), err)
				}
			}
			read(0)
			var ran atomic.Bool
			go ran.Store(true)
			for seq := 1; seq <= 10 && !ran.Load(); seq++ {
				r.in.bytes.Store(turnBytes - 1) // the next read ends a turn
				read(seq)
			}
			if !ran.Load() {
				t.Error("nobody else ran")
			}
			_, _ = a.Close(), r.Close() // closing is tested elsewhere
		})
	}
}
