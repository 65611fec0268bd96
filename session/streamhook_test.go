package session

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// notes are what hooks write down, of both sides, in their order.
type notes struct {
	mu   sync.Mutex // guards list
	list []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// A streamSpy has every hook that a stream can have. fail, which may be nil, gives
// their statuses.
type streamSpy struct {
	side string
	*notes
	fail func(hook string) *message.Status
}

func (p streamSpy) Name() string { return "spy" }

func (p streamSpy) at(hook string, more ...any) *message.Status {
	p.add("%s", fmt.Sprint(append([]any{p.side, " ", hook}, more...)...))
	if p.fail == nil {
		return nil
	}
	return p.fail(hook)
}

func (p streamSpy) PreWriteCall(ctx WriteCtx) *message.Status {
	ctx.Swap().Store("who", "anna")
	return p.at("PreWriteCall ", message.TypeText(ctx.Output().Mtype()))
}
func (p streamSpy) PostWriteCall(WriteCtx) *message.Status     { return p.at("PostWriteCall") }
func (p streamSpy) PostReadCallHeader(ReadCtx) *message.Status { return p.at("PostReadCallHeader") }
func (p streamSpy) PreReadCallBody(ReadCtx) *message.Status    { return p.at("PreReadCallBody") }
func (p streamSpy) PreWriteReply(ctx WriteCtx) *message.Status {
	return p.at("PreWriteReply ", ctx.Status().Code())
}
func (p streamSpy) PostWriteReply(ctx WriteCtx) *message.Status {
	return p.at("PostWriteReply ", ctx.Status().Code())
}
func (p streamSpy) PostHandle(ReadCtx) { p.at("PostHandle") }
func (p streamSpy) PostReadReplyHeader(ctx ReadCtx) *message.Status {
	who, _ := ctx.Swap().Load("who")
	return p.at("PostReadReplyHeader ", ctx.Status().Code(), " ", who)
}
func (p streamSpy) PreSendMessage(ctx StreamCtx) *message.Status {
	ctx.Message().Meta().Set("n", fmt.Sprint(ctx.Index()))
	return p.at("PreSendMessage ", ctx.Index(), " ", ctx.Opener(), " ", ctx.ServiceMethod())
}
func (p streamSpy) PreRecvMessage(ctx StreamCtx) *message.Status {
	who, _ := ctx.Swap().Load("who")
	return p.at("PreRecvMessage ", ctx.Index(), " ", ctx.Opener(), " ", ctx.Message().Meta().Get("n"), " ", who)
}

var _ = []plugin.Plugin{streamSpy{}}

// A stream has the hooks of a call around it, and its own around each message.
func TestHooksOfAStream(t *testing.T) {
	n := new(notes)
	here, there := streamSpy{side: "here", notes: n}, streamSpy{side: "there", notes: n}
	duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
		s := d.open(d.Context())
		synctest.Wait()
		check := func(about string, want ...string) {
			d.Helper()
			synctest.Wait()
			got := n.take()
			slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:4], b[:4]) }) // the two sides do not wait for each other
			if !slices.Equal(got, want) {
				d.Errorf("%s: the hooks were\n%q, want\n%q", about, got, want)
			}
		}
		check("opening", "here PreWriteCall STREAM_OPEN", "here PostWriteCall", "there PostReadCallHeader", "there PreReadCallBody")
		for i := range 2 {
			var got int
			if err := errors.Join(s.Send(5), s.Recv(&got)); err != nil || got != 5 {
				d.Fatal(got, err)
			}
			check("a message", fmt.Sprintf("here PreSendMessage %d true /s", i), fmt.Sprintf("here PreRecvMessage %d true %d anna", i, i),
				fmt.Sprintf("there PreRecvMessage %d false %d <nil>", i, i), fmt.Sprintf("there PreSendMessage %d false /s", i))
		}
		if err := errors.Join(s.CloseSend()); err != nil {
			d.Error(err)
		}
		if err := s.Recv(new(int)); err != io.EOF {
			d.Error(err)
		}
		synctest.Wait()
		got := n.take()
		slices.Sort(got) // the end is read while the last hooks run
		want := []string{"here PostReadReplyHeader 0 anna", "there PostHandle", "there PostWriteReply 0", "there PreWriteReply 0"}
		if !slices.Equal(got, want) {
			d.Errorf("the end: the hooks were\n%q, want\n%q", got, want)
		}
	}, withPlugins([]plugin.Plugin{here}, []plugin.Plugin{there}))
}

// A hook that fails, panics or calls runtime.Goexit stops the operation that it
// precedes, and the other side gets the status.
func TestHooksOfAStreamThatFail(t *testing.T) {
	refusal := message.NewStatus(1234, "no")
	ways := map[string]struct {
		do   func() *message.Status
		code int32
	}{
		"fails":  {func() *message.Status { return refusal }, 1234},
		"panics": {func() *message.Status { panic("oops") }, message.CodeInternalServerError},
		"exits":  {func() *message.Status { runtime.Goexit(); return nil }, message.CodeInternalServerError},
	}
	for _, c := range []struct {
		side, hook string
		see        string // where it is seen: open, send, recv, end
		exits      bool   // it can end its goroutine without ending that of a caller
	}{
		{"here", "PreWriteCall ", "open", false},
		{"there", "PostReadCallHeader", "recv", true},
		{"there", "PreReadCallBody", "recv", true},
		{"here", "PreSendMessage ", "send", false},
		{"there", "PreRecvMessage ", "recv", false},
		{"there", "PreSendMessage ", "recv", false},
		{"here", "PreRecvMessage ", "recv", false},
		{"there", "PreWriteReply ", "end", false},
		{"here", "PostReadReplyHeader ", "end", true},
		{"here", "PostWriteCall", "nothing", false},
		{"there", "PostWriteReply ", "nothing", false},
	} {
		for way, w := range ways {
			if way == "exits" && !c.exits {
				continue
			}
			t.Run(c.side+" "+c.hook+way, func(t *testing.T) {
				n := new(notes)
				spy := func(side string) streamSpy {
					p := streamSpy{side: side, notes: n}
					if side == c.side {
						p.fail = func(hook string) *message.Status {
							if hook != c.hook {
								return nil
							}
							return w.do()
						}
					}
					return p
				}
				duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
					s, st := d.here.OpenStream(d.Context(), "/s")
					if c.see == "open" {
						if st.Code() != w.code {
							d.Errorf("opening: %v", st)
						}
						return
					}
					if !st.OK() {
						d.Fatal(st)
					}
					defer s.Close()
					err := s.Send(5)
					if c.see == "send" {
						if code(err) != w.code {
							d.Errorf("sending: %v", err)
						}
						return
					}
					var got int
					if err == nil || errors.Is(err, io.EOF) || code(err) == w.code {
						err = s.Recv(&got)
					}
					if c.see == "recv" {
						if code(err) != w.code || err == io.EOF {
							d.Errorf("receiving: %v", err)
						}
						if st := s.Status(); st.Code() != w.code {
							d.Errorf("the stream ended with %v", st)
						}
						return
					}
					if err != nil || got != 5 {
						d.Fatal(got, err)
					}
					want := int32(0)
					if c.see == "end" {
						want = w.code
					}
					if err := s.CloseSend(); err != nil {
						d.Error(err)
					}
					if err := s.Recv(&got); code(err) != want {
						d.Errorf("the end: %v, want code %d", err, want)
					}
				}, withPlugins([]plugin.Plugin{spy("here")}, []plugin.Plugin{spy("there")}))
			})
		}
	}
}

// An endSpy notes how streams end, as their hooks see it.
type endSpy struct {
	*notes
	refuse *message.Status // what the opening ends with; nil: it does not
}

func (p endSpy) Name() string                          { return "end spy" }
func (p endSpy) PreWriteCall(WriteCtx) *message.Status { return p.refuse }
func (p endSpy) PostEndStream(ctx StreamEndCtx) {
	sent, received := ctx.Counts()
	p.add("%s %d %v %d %d", ctx.ServiceMethod(), ctx.Status().Code(), ctx.Opener(), sent, received)
}

// TestEndOfAStreamInItsHooks: each end sees how a stream has ended, and the opener also
// how one that was not opened has.
func TestEndOfAStreamInItsHooks(t *testing.T) {
	for _, c := range []struct {
		name        string
		refuse      *message.Status
		handler     func(CallCtx, *Stream) *message.Status
		here, there []string
	}{
		{"not opened", message.NewStatus(1234, "no"), echo, []string{"/s 1234 true 0 0"}, nil},
		{"the handler fails", nil, func(CallCtx, *Stream) *message.Status { return message.NewStatus(1001, "no") }, []string{"/s 1001 true 0 0"}, []string{"/s 1001 false 0 0"}},
		{"the handler exits", nil, func(CallCtx, *Stream) *message.Status { runtime.Goexit(); return nil }, []string{"/s 500 true 0 0"}, []string{"/s 500 false 0 0"}},
	} {
		here, there := endSpy{new(notes), c.refuse}, endSpy{notes: new(notes)}
		duets(t, routes{stream: streamHandler(c.handler)}, func(d *duet) {
			s, st := d.here.OpenStream(d.Context(), "/s")
			if st.Code() != c.refuse.Code() {
				d.Fatalf("%s: %v", c.name, st)
			}
			if s != nil {
				_ = s.Status() // waits for the end
			}
			synctest.Wait()
			if got := here.take(); !slices.Equal(got, c.here) {
				d.Errorf("%s: here %q, want %q", c.name, got, c.here)
			}
			if got := there.take(); !slices.Equal(got, c.there) {
				d.Errorf("%s: there %q, want %q", c.name, got, c.there)
			}
		}, withPlugins([]plugin.Plugin{here}, []plugin.Plugin{there}))
	}
}
