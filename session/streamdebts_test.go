package session

import (
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// streamRoute has one handler of streams, which waits for the end of its stream.
type streamRoute struct{ callRoute }

var waitingStream = NewHandler(Spec{
	Name: "/s", Kind: RouteStream,
	Stream: func(_ CallCtx, s *Stream) *message.Status {
		<-s.Done()
		return nil
	},
})

func (streamRoute) DispatchStream(string) (*Handler, bool) { return waitingStream, true }

// TestReaderNeverWaitsToEndAStream: the other side sends frames that end streams
// or need an answer, while it does not read. The goroutine that reads goes on, and
// all answers are sent when the other side reads.
func TestReaderNeverWaitsToEndAStream(t *testing.T) {
	const streams = 500
	opened := func(u *unit) {
		for n := range int32(streams) {
			u.accept(message.TypeStreamOpen, n+1, "/s", nil)
		}
	}
	for _, c := range []struct {
		name  string
		max   int // of streams; 0: no bound
		limit int // of their messages, in bytes; 0: the default
		send  func(*unit)
		mtype byte
		code  int32
	}{
		{name: "openings above the bound", max: -1, send: opened, mtype: message.TypeStreamEnd, code: message.CodeExhausted},
		{name: "openings while it drains", send: func(u *unit) {
			u.goaway.local.move(localServing, localDraining)
			opened(u)
		}, mtype: message.TypeStreamEnd, code: message.CodeShuttingDown},
		{name: "invalid ids", send: func(u *unit) {
			for n := range int32(streams) {
				u.accept(message.TypeStreamOpen, -n-1, "/s", nil)
			}
		}, mtype: message.TypeStreamEnd, code: message.CodeBadMessage},
		{name: "invalid credits", send: func(u *unit) {
			opened(u)
			for n := range int32(streams) {
				u.accept(message.TypeStreamCredit, n+1, "x", nil)
			}
		}, mtype: message.TypeStreamEnd, code: message.CodeBadMessage},
		{name: "messages that are too large", limit: 16, send: func(u *unit) {
			opened(u)
			for n := range int32(streams) {
				u.accept(message.TypeStreamData, n+1, "", strings.Repeat("x", 17))
			}
		}, mtype: message.TypeStreamEnd, code: message.CodeTooLarge},
		{name: "questions for capabilities", send: func(u *unit) {
			for n := range int32(streams) {
				u.accept(message.TypeCall, minProofSeq+n, controlCaps, nil, message.WithSetMeta(metaCaps, formatCaps(capStreams, minProofSeq+n)))
			}
		}, mtype: message.TypeReply},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUnit(t, streamRoute{}, func(sh *Shared) {
				sh.Socket = socket.Config{QueueLimit: 1 << 10}.Complete()
				if c.limit > 0 {
					sh.StreamMessageLimit = c.limit
				}
				sh.MaxStreams = 0
			})
			u.streamTable().caps.prove(capStreams)
			if c.max < 0 { // one is open, of one
				u.accept(message.TypeStreamOpen, streams+1, "/s", nil)
				u.shared.MaxStreams = 1
			}
			u.net.block()
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.send(u)
			}()
			receive(t, done)
			if u.debts.get().empty() {
				t.Fatal("everything found room")
			}
			u.net.unblock()
			eventually(t, "the debts are paid", u.debts.get().empty)
			got := u.sent()
			if len(got) != streams {
				t.Fatalf("%d of %d were sent", len(got), streams)
			}
			answered := map[int32]bool{}
			for _, m := range got {
				answered[m.Seq()] = true
				if m.Mtype() != c.mtype || m.Status().Code() != c.code {
					t.Fatalf("got %v", m)
				}
			}
			if len(answered) != streams {
				t.Errorf("%d streams got the answers of %d", len(answered), streams)
			}
		})
	}
}

// TestOwedEndThatCannotBePacked: the other side gets another end instead.
func TestOwedEndThatCannotBePacked(t *testing.T) {
	u := newUnit(t, streamRoute{}, nil)
	u.owe(debt{what: debtStreamEnd, seq: -3, st: message.NewStatus(message.CodeBadMessage, strings.Repeat("x", 1<<17), "")})
	if m := u.sentOne(); m.Mtype() != message.TypeStreamEnd || m.Seq() != -3 || m.Status().Code() != message.CodeInternalServerError {
		t.Errorf("got %v", m)
	}
}
