package websocket_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	ws "github.com/coder/websocket"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
)

// TestLastMessagesArrive: what a session has sent before it is closed, or refused, leaves
// before its connection ends.
func TestLastMessagesArrive(t *testing.T) {
	login := auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		if c.Token != "good" {
			return nil, nil
		}
		return &auth.Identity{Name: "ann"}, nil
	}})
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet}, login)
	const pushes = 50
	erpc.HandleCall(srv.Peer, "/end", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		s := erpc.CallCtxFrom(ctx).Session()
		for i := range pushes {
			if st := s.Push("/last", i); !st.OK() {
				return nil, st.Err()
			}
		}
		return nil, s.Close()
	})
	addr := start(t, srv)
	for range 20 {
		bad := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token("bad")))
		if _, st := bad.DialJSON(addr); st.Code() != erpc.CodeUnauthorized {
			t.Errorf("a refused client gets %v", st)
		}
		_ = bad.Close()

		last := make(chan int, pushes)
		cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token("good")))
		erpc.HandlePush(cli.Peer, "/last", func(_ context.Context, i *int) error { last <- *i; return nil })
		sess, st := cli.DialJSON(addr)
		if !st.OK() {
			t.Fatal(st)
		}
		_ = sess.Call("/end", nil, nil).Status() // its session ends with it
		for got := range pushes {
			select {
			case <-last:
			case <-time.After(patience):
				t.Fatalf("%d of %d pushes have arrived", got, pushes)
			}
		}
		_ = cli.Close()
	}
}

// TestEndsTellWhy: either side of a WebSocket hears why the other one has ended the session,
// though it has not made a call, and a client does not come back that is told so.
func TestEndsTellWhy(t *testing.T) {
	sessions := make(chan erpc.Session, 10)
	opened := &erpc.PluginImpl{PluginName: "opened", OnPostOpen: func(s erpc.Session, _ bool) { sessions <- s }}
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet}, opened)
	addr := start(t, srv)
	next := func() erpc.Session {
		t.Helper()
		select {
		case s := <-sessions:
			return s
		case <-time.After(patience):
			t.Fatal("nobody came")
			return nil
		}
	}
	why := func(s erpc.Session) (code int32, text string, reconnect bool) {
		t.Helper()
		select {
		case <-s.CloseNotify():
		case <-time.After(patience):
			t.Fatal("the session has not ended")
		}
		if c, ok := errors.AsType[*erpc.ClosedError](s.Err()); ok {
			return c.Status.Code(), c.Status.Msg(), c.Reconnect
		}
		t.Errorf("ended with %v", s.Err())
		return 0, "", false
	}
	cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet, RedialTimes: -1, RedialInterval: time.Millisecond})
	defer cli.Close()
	for _, st := range []*erpc.Status{erpc.NewStatus(401, "expired"), erpc.NewStatus(1009, "kicked", "again")} {
		sess, dialed := cli.DialJSON(addr)
		if !dialed.OK() {
			t.Fatal(dialed)
		}
		if err := next().CloseWith(st, false); err != nil {
			t.Error(err)
		}
		text := st.Msg()
		if st.Cause() != nil {
			text += ": " + st.Cause().Error()
		}
		if c, got, back := why(sess); c != st.Code() || got != text || back {
			t.Errorf("the client hears %d %q %v, want %d %q", c, got, back, st.Code(), text)
		}
	}
	sess, st := cli.DialJSON(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	if err := next().CloseWith(erpc.NewStatus(503, "upgrade"), true); err != nil {
		t.Error(err)
	}
	there := next() // it came back
	kit.Eventually(t, patience, "the session is back", sess.Connected)
	if err := sess.CloseWith(erpc.NewStatus(1010, "enough"), false); err != nil {
		t.Error(err)
	}
	if c, got, back := why(there); c != 1010 || got != "enough" || back {
		t.Errorf("the server hears %d %q %v", c, got, back)
	}

	// A page, which is no peer.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	page, _, err := ws.Dial(ctx, "ws://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	there = next()
	if err := page.Close(3001, "game over"); err != nil {
		t.Error(err)
	}
	if c, got, back := why(there); c != 3001 || got != "game over" || !back {
		t.Errorf("the server hears %d %q %v of a page", c, got, back)
	}
	if page, _, err = ws.Dial(ctx, "ws://"+addr+"/", nil); err != nil {
		t.Fatal(err)
	}
	next().SetID("a")
	other, st := cli.DialJSON(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	defer other.Close()
	next().SetID("a")
	if _, _, err := page.Read(ctx); ws.CloseStatus(err) != 4102 || !strings.Contains(err.Error(), "another session took the id") {
		t.Errorf("a page whose session is replaced reads %v", err)
	}
}

// TestRefusedPageSeesWhy: the connect hooks refuse a page by the code of the close frame,
// after which clients/js does not come back; the cause is not for strangers.
func TestRefusedPageSeesWhy(t *testing.T) {
	for code, want := range map[int32]ws.StatusCode{401: 4401, 403: 4403, 429: 1012, 1001: 1012} {
		srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet}, &erpc.PluginImpl{PluginName: "no", OnPostAccept: func(erpc.PreSession) *erpc.Status {
			return erpc.NewStatus(code, "go away", "a secret")
		}})
		addr := start(t, srv)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		page, _, err := ws.Dial(ctx, "ws://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = page.Read(ctx)
		if ws.CloseStatus(err) != want || !strings.Contains(err.Error(), "go away") || strings.Contains(err.Error(), "secret") {
			t.Errorf("refused with %d, a page reads %v", code, err)
		}
		kit.Eventually(t, patience, "the refusal is counted", func() bool { return srv.Stats().Refused == 1 })
	}
}
