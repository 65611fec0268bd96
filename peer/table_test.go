package peer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// The table follows the IDs of its sessions as they change.
func TestIDs(t *testing.T) {
	on := memory.New()
	srv, cli := newPeer(t, on, peer.Config{}), newPeer(t, on, peer.Config{})
	serve(t, srv, "a")
	one, two := dial(t, cli, "a"), dial(t, cli, "a")
	if one.ID() == two.ID() || !strings.Contains(one.ID(), "#") {
		t.Errorf("ids of addresses without a port: %q and %q", one.ID(), two.ID())
	}
	has := func(id string, want session.Session) {
		t.Helper()
		if got, ok := cli.GetSession(id); ok != (want != nil) || got != want {
			t.Errorf("%q is %v, %v", id, got, ok)
		}
	}
	has(one.ID(), one)
	has(two.ID(), two)
	has("", nil) // nil, not an interface with a nil *Conn in it

	before := one.ID()
	one.SetID("first")
	has(before, nil)
	has("first", one)
	one.SetID("first") // its own name
	has("first", one)
	if n := cli.CountSession(); n != 2 || !one.Health() {
		t.Errorf("%d sessions", n)
	}

	other := two.ID()
	two.SetID("first") // the newer claim wins
	has("first", two)
	has(other, nil)
	receive(t, "the end of the older session", one.CloseNotify())
	if err := one.(*session.Engine).Err(); !errors.Is(err, session.ErrReplaced) {
		t.Errorf("it ended because of %v", err)
	}
	has("first", two) // its end leaves the newer one in place
	one.SetID("again")
	has("again", nil) // a session that has ended claims no ID
	one.SetID("first")
	has("first", two)
	if n := cli.CountSession(); n != 1 || !two.Health() {
		t.Errorf("%d sessions", n)
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	has("first", nil)
}

// A walk visits the sessions that were there when it began, whatever happens to
// them meanwhile.
func TestRangeSession(t *testing.T) {
	on := memory.New()
	srv, cli := newPeer(t, on, peer.Config{}), newPeer(t, on, peer.Config{})
	serve(t, srv, "a")
	for range 3 {
		dial(t, cli, "a")
	}
	seen := 0
	cli.RangeSession(func(s session.Session) bool {
		seen++
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if seen == 1 {
			dial(t, cli, "a") // comes too late
		}
		return true
	})
	if n := cli.CountSession(); seen != 3 || n != 1 {
		t.Errorf("saw %d, %d are left", seen, n)
	}
	dial(t, cli, "a")
	seen = 0
	cli.RangeSession(func(session.Session) bool { seen++; return false })
	if seen != 1 {
		t.Errorf("went on after false: %d", seen)
	}
}

// standIn is a session of a test.
type standIn struct {
	session.Session
	id     string
	st     *message.Status
	pushes int
}

func (s *standIn) ID() string { return s.id }

func (s *standIn) Push(string, any, ...message.Setting) *message.Status {
	s.pushes++
	return s.st
}

// The result of a broadcast accounts for sessions of several peers, for those that
// have ended and for stand-ins.
func TestBroadcastAccounts(t *testing.T) {
	on := memory.New()
	srv := newPeer(t, on, peer.Config{})
	notes := noted(srv)
	serve(t, srv, "a")
	one, two := dial(t, newPeer(t, on, peer.Config{}), "a"), dial(t, newPeer(t, on, peer.Config{}), "a")
	gone := dial(t, newPeer(t, on, peer.Config{}), "a")
	gone.SetID("gone")
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	well, ill := &standIn{id: "well"}, &standIn{id: "ill", st: message.NewStatus(1001, "ill")}
	sent, failed := peer.BroadcastTo([]session.Session{ill, one, gone, well, two}, "/note", "to some")
	if sent != 3 || len(failed) != 2 || failed["gone"].Code() != message.CodeConnClosed || failed["ill"].Code() != 1001 || well.pushes != 1 || ill.pushes != 1 {
		t.Errorf("sent to %d, failed %v", sent, failed)
	}
	for range 2 {
		if text := receive(t, "a push", notes); text != "to some" {
			t.Errorf("got %q", text)
		}
	}
	if sent, failed := peer.BroadcastTo([]session.Session{well}, "/note", "x"); sent != 1 || failed != nil {
		t.Errorf("without failures: %d, %v", sent, failed)
	}
	if sent, failed := newPeer(t, on, peer.Config{}).Broadcast("/note", "x"); sent != 0 || failed != nil {
		t.Errorf("to nobody: %d, %v", sent, failed)
	}
}
