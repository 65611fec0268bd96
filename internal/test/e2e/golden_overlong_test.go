package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/rawproto"
)

// The lengths of raw, in bytes of escaped text. v7 let longer metadata and
// statuses overflow their length field, so the receiver took the rest for the
// body.
const (
	mostText   = 65535
	mostMethod = 255
)

// TestOverlongIsNotSent: a client that sends fields too long for raw gets an
// error, nothing is written, and the session goes on. Fields that just fit are
// sent.
func TestOverlongIsNotSent(t *testing.T) {
	const (
		metaFrame   = "k="            // and the value
		statusFrame = "code=7&msg="   // and the text
		causeFrame  = "code=7&cause=" // and the text
	)
	escaped := strings.Repeat("&", mostText/3) // three bytes each
	tests := []struct {
		name   string
		method string
		set    erpc.MessageSetting
		want   error // nil: it is sent
	}{
		{"longest method", strings.Repeat("m", mostMethod), nil, nil},
		{"method", strings.Repeat("m", mostMethod+1), nil, rawproto.ErrMethodTooLong},
		{"method of 256 times 256 bytes", strings.Repeat("m", 1<<16), nil, rawproto.ErrMethodTooLong},
		{"longest metadata", "/a", erpc.WithAddMeta("k", strings.Repeat("v", mostText-len(metaFrame))), nil},
		{"metadata", "/a", erpc.WithAddMeta("k", strings.Repeat("v", mostText-len(metaFrame)+1)), rawproto.ErrMetaTooLong},
		{"longest metadata, escaped", "/a", erpc.WithAddMeta(escaped, ""), nil},
		{"metadata, escaped", "/a", erpc.WithAddMeta(escaped, "v"), rawproto.ErrMetaTooLong},
		{"metadata, whose length in two bytes would be small", "/a", erpc.WithAddMeta("k", strings.Repeat("v", 1<<16+10)), rawproto.ErrMetaTooLong},
		{"longest status", "/a", erpc.WithStatus(erpc.NewStatus(7, strings.Repeat("s", mostText-len(statusFrame)))), nil},
		{"status", "/a", erpc.WithStatus(erpc.NewStatus(7, strings.Repeat("s", mostText-len(statusFrame)+1))), rawproto.ErrStatusTooLong},
		{"longest cause", "/a", erpc.WithStatus(erpc.NewStatus(7, "", strings.Repeat("s", mostText-len(causeFrame)))), nil},
		{"cause", "/a", erpc.WithStatus(erpc.NewStatus(7, "", strings.Repeat("s", mostText-len(causeFrame)+1))), rawproto.ErrStatusTooLong},
		{"status, escaped", "/a", erpc.WithStatus(erpc.NewStatus(7, escaped)), rawproto.ErrStatusTooLong},
	}
	lis := wiretest.ListenScript(t)
	c := newClientSession(t, lis)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			push := c.sess.Push(tt.method, nil, tt.set)
			wantOverlong(t, push, tt.want)
			if tt.want == nil {
				if m := unpacked(t, c.script.Frame(false)); m.Mtype() != erpc.TypePush || m.ServiceMethod() != tt.method {
					t.Errorf("got %.100v, want the push", m)
				}
			} else {
				wantOverlong(t, c.sess.Call(tt.method, nil, nil, tt.set).Status(), tt.want)
			}

			// The next thing on the wire is the next message that fits.
			cmd := c.sess.AsyncCall("/after", nil, nil, nil)
			m := unpacked(t, c.script.Frame(false))
			if m.Mtype() != erpc.TypeCall || m.ServiceMethod() != "/after" {
				t.Fatalf("got %.100v, want the call after it", m)
			}
			reply := erpc.NewMessage()
			reply.SetMtype(erpc.TypeReply)
			reply.SetSeq(m.Seq())
			frame, err := rawproto.New().Pack(nil, reply)
			if err != nil {
				t.Fatal(err)
			}
			c.script.Send(frame)
			if st := cmd.Status(); !st.OK() {
				t.Errorf("the call after it: %v", st)
			}
		})
	}
}

func wantOverlong(t *testing.T, st *erpc.Status, want error) {
	t.Helper()
	switch {
	case want == nil:
		if !st.OK() {
			t.Errorf("%.200s, want it to be sent", st)
		}
	case st.Code() != erpc.CodeWriteFailed || !errors.Is(st.Cause(), want):
		t.Errorf("%.200s, want code %d because of %v", st, erpc.CodeWriteFailed, want)
	}
}

// TestOverlongReply: handlers return fields too long for raw. The caller gets
// another status instead, in a correct frame.
func TestOverlongReply(t *testing.T) {
	long := strings.Repeat("x", 1<<16+10)
	p := wiretest.Serve(t, erpc.PeerConfig{ErrorDetail: true})
	p.RouteCallFunc((*overlong).Meta)
	erpc.HandleCall(p.Peer, "/status", func(context.Context, *string) (*int, error) {
		return nil, erpc.NewStatus(1001, long).Err()
	})
	erpc.HandleCall(p.Peer, "/cause", func(context.Context, *string) (*int, error) {
		return nil, errors.New(long)
	})
	erpc.HandleCall(p.Peer, "/panic", func(context.Context, *string) (*int, error) { panic(long) })

	c := wiretest.NewClient(t, erpc.PeerConfig{})
	sess := c.MustDial(t, p.Addr)
	for _, method := range []string{"/meta", "/status", "/cause", "/panic"} {
		t.Run(method, func(t *testing.T) {
			cmd := sess.Call(method, "a", nil, erpc.WithXferPipe('m'))
			st := cmd.Status()
			if st.Code() != erpc.CodeInternalServerError || len(st.String()) > 1000 {
				t.Errorf("status %.200s, want a short one with code %d", st, erpc.CodeInternalServerError)
			}
			if meta := cmd.InputMeta(); meta.Len() != 0 {
				t.Errorf("metadata %.200s came with it", meta)
			}
			after := wiretest.Call{Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6}
			if err := after.Do(sess); err != nil {
				t.Errorf("the call after it: %v", err)
			}
		})
	}
}

type overlong struct{ erpc.CallCtx }

// Meta answers with long metadata.
func (o *overlong) Meta(arg *string) (string, *erpc.Status) {
	o.SetMeta("k", strings.Repeat("v", 1<<16+10))
	return *arg, nil
}
