package session

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
)

// FuzzStreamFrames: the other side sends any frames of streams, in any order, to
// its own streams, to those of this side, and to streams that don't exist. Their
// memory and the number of handlers stay within the limits, and everything ends
// with the connection.
func FuzzStreamFrames(f *testing.F) {
	const open, data, end, credit, full = 0, 1, 2, 3, 4
	f.Add([]byte{open, 1, 0, data, 1, 3, full, 1, 9, end, 1, 0})
	f.Add([]byte{data, 0xff, 8, credit, 0xff, 0, end, 0xff, 1})
	f.Add([]byte{open, 1, 0, open, 1, 0, open, 2, 0, open, 3, 0, open, 4, 0, open, 0, 0, open, 0xfe, 0})
	f.Add([]byte{open, 1, 0, full, 1, 15, full, 1, 15, full, 1, 15, full, 1, 15, full, 1, 15, full, 1, 15})
	f.Add([]byte{open, 1, 1, credit, 1, 0, credit, 1, 1, credit, 1, 2, credit, 1, 3, credit, 1, 4, credit, 0xff, 5, 5, 1, 1})
	f.Fuzz(func(t *testing.T, frames []byte) {
		if len(frames) > 3*400 {
			return
		}
		bubble(t, func(t *testing.T) { sendFrames(t, frames) })
	})
}

// Credits that strangers may send.
var fuzzCredits = []string{"0.65536", "1.65536", "2.1", "9.65536", "18446744073709551615.9223372036854775807", "x", "", "1.0"}

func sendFrames(t *testing.T, frames []byte) {
	const maxStreams, memory = 3, 1 << 20
	var handlers, most atomic.Int32
	handler := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		n := handlers.Add(1)
		defer handlers.Add(-1)
		for now := most.Load(); n > now && !most.CompareAndSwap(now, n); now = most.Load() {
		}
		for i := 0; ; i++ {
			var text string
			if s.Recv(&text) != nil {
				return nil
			}
			if i%2 == 0 && s.Send(text) != nil {
				return nil
			}
		}
	})
	u := newUnit(t, routes{stream: handler}, func(s *Shared) {
		s.MaxStreams, s.StreamMessageLimit, s.streamMemory = maxStreams, 256<<10, stream.NewMemory(memory)
	})
	u.prove()
	u.streamTable().caps.prove(capStreams)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 { // ids 1 and 2, whose frames come with -1 and -2
		x := getExchange(u.conn, roleOutgoing)
		x.out.SetMtype(message.TypeStreamOpen)
		x.out.SetServiceMethod("/s")
		x.out.SetBodyCodec('j')
		x.out.SetContext(ctx)
		s, st := streamOpening{x, u.shared.Hooks.Load()}.on(u.conn)
		putExchange(x)
		if !st.OK() {
			t.Fatal(st)
		}
		go func() {
			var text string
			for s.Recv(&text) == nil {
				if s.Send(text) != nil {
					return
				}
			}
		}()
	}
	types := []byte{message.TypeStreamOpen, message.TypeStreamData, message.TypeStreamEnd, message.TypeStreamCredit, message.TypeStreamFull}
	for ; len(frames) >= 3; frames = frames[3:] {
		id, arg := int32(int8(frames[1])), frames[2]
		if int(frames[0]) >= len(types) { // a control message about a stream
			u.accept(message.TypePush, id, controlDrain, nil)
			continue
		}
		mtype, method, body := types[frames[0]], "", any(nil)
		var set []message.Setting
		switch mtype {
		case message.TypeStreamOpen:
			method = "/s"
		case message.TypeStreamData, message.TypeStreamFull:
			body = strings.Repeat("x", 1<<min(int(arg), 18)-1) // up to the limit of a message, and one above
		case message.TypeStreamCredit:
			method = fuzzCredits[int(arg)%len(fuzzCredits)]
		case message.TypeStreamEnd:
			if arg > 0 {
				set = append(set, message.WithStatus(message.NewStatus(int32(arg), "as asked")))
			}
		}
		u.accept(mtype, id, method, body, set...)
		if arg%3 == 0 {
			synctest.Wait() // the programs take what has arrived
		}
		if used := u.shared.streamMemory.Used(); used > memory || used < 0 {
			t.Fatalf("streams hold %d bytes of %d", used, memory)
		}
		if open, working := u.streamTable().len(); open > maxStreams+2 || working > 2*maxStreams {
			t.Fatalf("%d streams are open, %d handlers work", open, working)
		}
	}
	if n := most.Load(); n > 2*maxStreams { // those of ended streams may not have heard of it yet
		t.Errorf("%d handlers at work", n)
	}
	cancel()
	_ = u.close(nil) // what is left ends
	synctest.Wait()
	if n, used := handlers.Load(), u.shared.streamMemory.Used(); n != 0 || used != 0 {
		t.Errorf("%d handlers and %d bytes are left behind", n, used)
	}
}
