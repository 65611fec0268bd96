package session

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto/rawproto"
)

// routes has one handler for each kind of message.
type routes struct{ call, push, stream *Handler }

func (r routes) Dispatch(call bool, _ string) (*Handler, bool) {
	return callRoute{r.call, r.push}.Dispatch(call, "")
}
func (r routes) DispatchStream(string) (*Handler, bool) { return r.stream, r.stream != nil }

func streamHandler(f func(CallCtx, *Stream) *message.Status) *Handler {
	return NewHandler(Spec{Name: "/s", Kind: RouteStream, Stream: f})
}

// A duet is two sessions joined by a pipe, in a bubble: both sides are real, and
// time passes when both wait.
type duet struct {
	*testing.T
	here, there *Engine
}

type duetSetting func(here, there *Shared)

func withPlugins(here, there []plugin.Plugin) duetSetting {
	return func(a, b *Shared) {
		a.Hooks.Store(NewHooks(here))
		b.Hooks.Store(NewHooks(there))
		if r, ok := b.Routes.(routes); ok && r.stream != nil {
			r.stream.SetHooks(NewRouteHooks(there, nil))
		}
	}
}

// duets runs f with two sessions; there has the routes.
func duets(t *testing.T, r Routes, f func(d *duet), settings ...duetSetting) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		a, b := net.Pipe()
		sa, sb := fakeShared(routes{}), fakeShared(r)
		for _, set := range settings {
			set(sa, sb)
		}
		d := &duet{T: t}
		accepted := make(chan *message.Status, 1)
		go func() {
			var st *message.Status
			d.there, st = Accept(sb, b, rawproto.New, "there")
			accepted <- st
		}()
		var st *message.Status
		d.here, st = Dialed(sa, a, rawproto.New, "here", nil)
		if st2 := <-accepted; !st.OK() || !st2.OK() {
			t.Fatal(st, st2)
		}
		defer func() {
			_ = d.here.Close() // either may have ended already
			_ = d.there.Close()
		}()
		f(d)
	})
}

// open opens a stream from here.
func (d *duet) open(ctx context.Context, settings ...message.Setting) *Stream {
	d.Helper()
	s, st := d.here.OpenStream(ctx, "/s", settings...)
	if !st.OK() {
		d.Fatal(st)
	}
	return s
}

// code is what the status of err says, 0 for a stream that ended well.
func code(err error) int32 {
	if errors.Is(err, io.EOF) {
		return message.CodeOK
	}
	return message.FromError(err).Code()
}

// contextFor returns a context that ends after d, and with the test.
func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
