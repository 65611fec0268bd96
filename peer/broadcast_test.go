package peer_test

import (
	"net"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// sealer changes the body of a push on its way out.
type sealer struct{}

func (sealer) Name() string { return "sealer" }
func (sealer) PreWritePush(ctx session.WriteCtx) *message.Status {
	text := "sealed " + ctx.Output().Body().(string)
	ctx.Output().SetBody(text)
	return nil
}

// What one peer's hooks do to a broadcast reaches only the sessions of that peer,
// and none of them gets the message without it.
func TestBroadcastToSessionsOfSeveralPeers(t *testing.T) {
	on := memory.New()
	var sessions []session.Session
	type end struct {
		want string
		got  <-chan string
	}
	var ends []end
	for i, addr := range []string{"plain", "sealing", "plain too"} {
		plugins := []plugin.Plugin(nil)
		want := "text"
		if i == 1 {
			plugins, want = []plugin.Plugin{sealer{}}, "sealed text"
		}
		srv := newPeer(t, on, peer.Config{}, plugins...)
		serve(t, srv, addr)
		cli := newPeer(t, on, peer.Config{})
		ends = append(ends, end{want, noted(cli)})
		dial(t, cli, addr)
		srv.RangeSession(func(s session.Session) bool { sessions = append(sessions, s); return true })
	}
	if sent, failed := peer.BroadcastTo(sessions, "/note", "text"); sent != 3 || failed != nil {
		t.Fatal(sent, failed)
	}
	for i, e := range ends {
		if got := receive(t, "the push", e.got); got != e.want {
			t.Errorf("receiver %d got %q, want %q", i, got, e.want)
		}
	}
}

// Sessions that do not read delay a broadcast once, for a moment, not for the write
// timeout each. The error of the broadcast names each of them.
func TestBroadcastDoesNotWaitLongForSlowReaders(t *testing.T) {
	p := peer.New(peer.Config{QueueLimit: 1 << 10, HandshakeTimeout: -1})
	defer p.Close()
	const slow = 5
	for range slow {
		here, there := net.Pipe() // nobody reads there
		defer there.Close()
		if _, st := p.ServeConn(here); !st.OK() {
			t.Fatal(st)
		}
	}
	text := strings.Repeat("x", 4<<10)
	var failed map[string]*message.Status
	d := wait.Took(func() {
		for range 3 { // the first finds room
			_, failed = p.Broadcast("/note", text)
		}
	})
	if d > 3*peer.DefaultBroadcastWait {
		t.Errorf("three broadcasts took %v", d)
	}
	if len(failed) != slow {
		t.Errorf("%d sessions failed, want %d", len(failed), slow)
	}
	for id, st := range failed {
		if st.Code() != message.CodeExhausted {
			t.Errorf("%s: %v", id, st)
		}
	}
	d = wait.Took(func() { _, failed = p.Broadcast("/note", text) })
	if len(failed) != slow {
		t.Errorf("%d failed", len(failed))
	}
	if d > peer.DefaultBroadcastWait/2 { // they have not read since the last wait for them
		t.Errorf("a further broadcast took %v", d)
	}
}
