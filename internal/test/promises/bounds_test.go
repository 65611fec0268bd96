package promises

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer/gzip"
)

// TestLongStatusFailsAtItsSender: if a handler fails with more text than a status
// may have, its caller still gets a status and the session goes on, with every
// protocol.
func TestLongStatusFailsAtItsSender(t *testing.T) {
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) {
			srv, addr := kit.Serve(t, w.cfg())
			erpc.HandleCall(srv, "/long", func(context.Context, *int) (*int, error) {
				return nil, erpc.NewStatus(1001, "long", strings.Repeat("x", message.MaxStatus)).Err()
			})
			_, sess := kit.Dial(t, addr, w.cfg())
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				st := sess.Call("/long", nil, nil, erpc.WithContext(ctx)).Status()
				kit.WantCode(t, "a call that fails at length", st, erpc.CodeInternalServerError)
			}
		})
	}
}

// TestLongStatusEndsItsStream is the same for the end of a stream, whose opener
// waits for it.
func TestLongStatusEndsItsStream(t *testing.T) {
	long := strings.Repeat("x", message.MaxStatus)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleStream(srv, "/long", func(context.Context, *erpc.Stream[int, int]) error {
		return erpc.NewStatus(1001, "long", long).Err()
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	s, st := sess.OpenStream(t.Context(), "/long")
	if !st.OK() {
		t.Fatal(st)
	}
	ended := make(chan *erpc.Status, 1)
	go func() { ended <- s.Status() }()
	kit.WantCode(t, "the stream", kit.Await(t, "the end of the stream", ended), erpc.CodeInternalServerError)
}

type point struct{ X int }

// TestAcceptCodecs: a peer does not decode bodies in a codec that it does not
// accept: of calls, pushes, replies and messages of streams.
func TestAcceptCodecs(t *testing.T) {
	for _, c := range []struct {
		name   string
		accept []string
		code   int32
	}{
		{"all by default", nil, erpc.CodeOK},
		{"one that is named", []string{"plain", "xml"}, erpc.CodeOK},
		{"none besides the default", []string{"json"}, erpc.CodeUnsupportedCodec},
	} {
		t.Run(c.name, func(t *testing.T) {
			strict := erpc.PeerConfig{AcceptCodecs: c.accept}
			got := make(chan int, 4) // what handlers have decoded
			srv, addr := kit.Serve(t, strict)
			erpc.HandleCall(srv, "/call", func(_ context.Context, p *point) (*point, error) { got <- p.X; return p, nil })
			erpc.HandlePush(srv, "/push", func(_ context.Context, p *point) error { got <- p.X; return nil })
			erpc.HandleCall(srv, "/bytes", func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
			erpc.HandleStream(srv, "/stream", func(_ context.Context, s *erpc.Stream[point, point]) error {
				_, err := s.Recv()
				return err
			})
			_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
			xml, p := erpc.WithBodyCodec(codec.ID_XML), &point{7}

			kit.WantCode(t, "a call", sess.Call("/call", p, new(point), xml).Status(), c.code)
			if st := sess.Push("/push", p, xml); !st.OK() {
				t.Fatal(st)
			}
			kit.WantCode(t, "a push and a call behind it", sess.Call("/call", p, new(point)).Status(), erpc.CodeOK)
			wants := 1 // the call in JSON
			if c.code == erpc.CodeOK {
				wants = 3
			}
			for range wants {
				if x := kit.Await(t, "a decoded body", got); x != 7 {
					t.Errorf("a handler got %d, want 7", x)
				}
			}
			if len(got) > 0 {
				t.Error("a handler got a body in a codec that is not accepted")
			}

			var raw []byte
			kit.WantCode(t, "a call of a handler that takes bytes", sess.Call("/bytes", []byte("<x/>"), &raw, xml).Status(), erpc.CodeOK)
			if string(raw) != "<x/>" {
				t.Errorf("the handler of bytes got %q", raw)
			}

			s, st := sess.OpenStream(t.Context(), "/stream", xml)
			if !st.OK() {
				t.Fatal(st)
			}
			if err := s.Send(p); err != nil {
				t.Fatal(err)
			}
			kit.WantCode(t, "a stream", s.Status(), c.code)
		})
		t.Run(c.name+" of a caller", func(t *testing.T) {
			srv, addr := kit.Serve(t, erpc.PeerConfig{})
			erpc.HandleCall(srv, "/call", func(ctx context.Context, p *point) (*point, error) {
				erpc.CallCtxFrom(ctx).SetBodyCodec(codec.ID_XML)
				return p, nil
			})
			_, sess := kit.Dial(t, addr, erpc.PeerConfig{AcceptCodecs: c.accept})
			kit.WantCode(t, "a call answered in XML", sess.Call("/call", &point{7}, new(point)).Status(), c.code)
			async := make(chan erpc.CallCmd, 1)
			sess.AsyncCall("/call", &point{7}, new(point), async)
			kit.WantCode(t, "the same, asynchronously", kit.Await(t, "the reply", async).Status(), c.code)
		})
	}
}

// TestMessagesBeforeASessionAreSmall: a client that is not authenticated can't make
// a peer hold more than 64 KiB, with or without a filter; an authenticated one can.
func TestMessagesBeforeASessionAreSmall(t *testing.T) {
	gzip.Reg('B', "bounds gzip", 5)
	for _, c := range []struct {
		name string
		size int
		pipe []byte
		code int32
	}{
		{"small", 60 << 10, nil, erpc.CodeOK},
		{"large", 65 << 10, nil, erpc.CodeTooLarge},
		{"small, deflated", 60 << 10, []byte{'B'}, erpc.CodeOK},
		{"large, deflated to a few bytes", 1 << 20, []byte{'B'}, erpc.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := make(chan *erpc.Status, 1)
			first := &erpc.PluginImpl{PluginName: "first", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
				m := s.PreReceive(func(erpc.Header) any { return new(string) })
				read <- m.Status()
				return m.Status()
			}}
			srv, addr := kit.Serve(t, erpc.PeerConfig{}, first)
			erpc.HandleCall(srv, "/same", kit.Same)
			cli := kit.Peer(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "knock", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status {
				return s.RawPush("/first", strings.Repeat("x", c.size), erpc.WithXferPipe(c.pipe...))
			}})
			sess, st := cli.Dial(addr)
			if !st.OK() && c.code == erpc.CodeOK {
				t.Fatal(st)
			}
			kit.WantCode(t, "the first message", kit.Await(t, "the first message", read), c.code)
			if c.code == erpc.CodeOK {
				body := make([]byte, 1<<20)
				kit.WantCode(t, "a call of 1 MiB behind it", sess.Call("/same", body, new([]byte)).Status(), erpc.CodeOK)
			}
		})
	}
}
