package peer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// members opens n sessions with a server; what is pushed to them at /note comes out
// of the channels.
func members(t *testing.T, n int) (srv *peer.Peer, sessions []session.Session, got []<-chan string) {
	t.Helper()
	on := memory.New()
	srv = newPeer(t, on, peer.Config{})
	serve(t, srv, "a")
	for i := range n {
		cli := newPeer(t, on, peer.Config{})
		got = append(got, noted(cli))
		far := dial(t, cli, "a")
		s, ok := srv.GetSession(far.LocalAddr().String())
		if !ok { // its id has a number
			srv.RangeSession(func(c session.Session) bool {
				if !slices.Contains(sessions, c) {
					s = c
				}
				return s == nil
			})
		}
		s.SetID(fmt.Sprint("member ", i))
		sessions = append(sessions, s)
	}
	return srv, sessions, got
}

func TestGroup(t *testing.T) {
	srv, s, got := members(t, 4)
	room := srv.Group("room")
	for i := range 3 {
		for range 2 { // the second time changes nothing
			if !room.Join(s[i]) {
				t.Error("a session can't join")
			}
		}
	}
	srv.Group("other").Join(s[0])
	if sent, failed := room.Broadcast("/note", "hello", []session.Session{s[1]}); sent != 2 || failed != nil {
		t.Errorf("sent to %d, failed %v", sent, failed)
	}
	for _, i := range []int{0, 2} {
		if text := receive(t, "the broadcast", got[i]); text != "hello" {
			t.Errorf("member %d got %q", i, text)
		}
	}
	if len(got[1])+len(got[3]) > 0 {
		t.Error("others got it too")
	}
	if names := strings.Join(srv.Groups(s[0]), " "); names != "other room" || room.Len() != 3 || !room.Has(s[1]) || room.Has(s[3]) || room.Name() != "room" {
		t.Errorf("member of %s; %d members", names, room.Len())
	}
	if !room.Leave(s[1]) || room.Leave(s[1]) || room.Leave(s[3]) || srv.Group("none").Leave(s[0]) {
		t.Error("Leave reports the wrong result")
	}
	if err := s[2].Close(); err != nil {
		t.Error(err)
	}
	if m := room.Members(); len(m) != 1 || m[0] != s[0] || room.Join(s[2]) || len(srv.Groups(s[2])) != 0 {
		t.Errorf("members after one has left and one has ended: %v", m)
	}
	other, foreign, _ := members(t, 1)
	if room.Join(foreign[0]) || other.Group("room").Len() != 0 {
		t.Error("the session of another peer joined")
	}
}

// Sessions that join a group while they end are in no group afterwards.
func TestGroupsForgetSessions(t *testing.T) {
	srv, s, _ := members(t, 20)
	var wg sync.WaitGroup
	for _, s := range s {
		wg.Go(func() {
			for range 50 {
				srv.Group(fmt.Sprint(rand.N(5))).Join(s)
			}
		})
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
	for end := time.Now().Add(longest); ; time.Sleep(time.Millisecond) {
		left := 0
		for i := range 5 {
			left += srv.Group(fmt.Sprint(i)).Len()
		}
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d sessions that have ended are in groups", left)
		}
	}
	for _, s := range s {
		if got := srv.Groups(s); len(got) > 0 {
			t.Errorf("%s is in %v", s.ID(), got)
		}
	}
}
