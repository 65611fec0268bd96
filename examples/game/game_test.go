package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/socket/memory"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

const secret = "a secret of tests"

// A rig is a server in memory, which ticks when the test tells it to.
type rig struct {
	t   *testing.T
	srv *server
	cfg erpc.PeerConfig // of both sides
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, cfg: erpc.PeerConfig{
		Network: memory.Network, Transports: []erpc.Transport{memory.New()}, ListenAddress: "game",
		Logger: slog.New(slog.DiscardHandler), RedialInterval: time.Millisecond, RedialMaxInterval: 10 * time.Millisecond,
	}}
	r.srv = newServer(r.cfg, secret, time.Minute)
	lis, err := r.srv.peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.srv.peer.Serve(lis) }()
	t.Cleanup(func() {
		if err := r.srv.peer.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return r
}

// A gamer is a client that remembers what it has seen.
type gamer struct {
	*client
	name string

	mu       sync.Mutex // guards the following
	last     State
	disorder error // nil: each state was newer than the one before
}

func (r *rig) try(name, role, room string) (*gamer, error) {
	g := &gamer{name: name}
	c, err := play(context.Background(), r.cfg, "game", mint(secret, name, role), room, g.see)
	if err != nil {
		return nil, err
	}
	g.client = c
	r.t.Cleanup(func() { _ = c.peer.Close() }) // the text does not matter here
	return g, nil
}

func (r *rig) play(name, role, room string) *gamer {
	r.t.Helper()
	g, err := r.try(name, role, room)
	if err != nil {
		r.t.Fatal(err)
	}
	return g
}

func (g *gamer) see(s *State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Tick <= g.last.Tick {
		g.disorder = fmt.Errorf("%s sees tick %d after %d", g.name, s.Tick, g.last.Tick)
	}
	g.last = *s
}

func (g *gamer) seen() (State, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last, g.disorder
}

// ended waits for the end of the session and returns the server's reason for ending
// it.
func (g *gamer) ended(t *testing.T) *erpc.Status {
	t.Helper()
	select {
	case <-g.sess.CloseNotify():
	case <-time.After(30 * time.Second):
		t.Fatalf("the session of %s has not ended", g.name)
	}
	closed, ok := errors.AsType[*erpc.ClosedError](g.sess.Err())
	if !ok || closed.Reconnect {
		t.Fatalf("the session of %s ended with %v", g.name, g.sess.Err())
	}
	return closed.Status
}

// Twenty rooms of fifty players, who all move and see each other move.
func TestThousandPlayers(t *testing.T) {
	const rooms, ticks = 20, 4
	r := newRig(t)
	gamers := make([]*gamer, rooms*maxPlayers)
	var coming sync.WaitGroup
	door := make(chan struct{}, 16) // a slow machine does not let in all of them within enterTime
	for i := range gamers {
		door <- struct{}{}
		coming.Go(func() {
			defer func() { <-door }()
			g, err := r.try(fmt.Sprint("player-", i), "player", fmt.Sprint("room-", i%rooms))
			if err != nil {
				t.Error(err)
				return
			}
			gamers[i] = g
			for _, x := range []int{-1, 0, 1} { // the last one counts
				if err := g.steer(context.Background(), x, i/rooms%3-1); err != nil {
					t.Error(err)
				}
			}
			if st := g.sess.Call("/game/enter", &Enter{g.room}, nil).Status(); !st.OK() { // it arrives after the pushes
				t.Error(st)
			}
		})
	}
	coming.Wait()
	if t.Failed() {
		t.FailNow()
	}
	erpctest.Eventually(t, "everybody has steered", func() bool {
		r.srv.world.mu.Lock()
		defer r.srv.world.mu.Unlock()
		for _, players := range r.srv.world.rooms {
			for _, p := range players {
				if p.heading.X != 1 {
					return false
				}
			}
		}
		return true
	})
	for range ticks {
		r.srv.tick(time.Now())
	}
	for i, g := range gamers {
		erpctest.Eventually(t, g.name+" sees the last tick", func() bool { s, _ := g.seen(); return s.Tick == ticks })
		s, disorder := g.seen()
		if disorder != nil {
			t.Error(disorder)
		}
		want := Point{roomSize/2 + ticks, roomSize/2 + ticks*(i/rooms%3-1)}
		if len(s.Players) != maxPlayers || s.Players[g.name] != want {
			t.Errorf("%s is at %v of %d, want %v", g.name, s.Players[g.name], len(s.Players), want)
		}
	}
	if _, err := r.try("one-more", "player", "room-0"); erpc.StatusFromError(err).Code() != codeFull {
		t.Errorf("entering a full room: %v", err)
	}
}

func TestKickedPlayersLearnWhyAndStayAway(t *testing.T) {
	r := newRig(t)
	ann, ben, admin := r.play("ann", "player", "lobby"), r.play("ben", "player", "lobby"), r.play("root", "admin", "lobby")
	if _, err := kickPlayer.Call(t.Context(), ben.sess, &Kick{"ann", "for fun"}); erpc.StatusFromError(err).Code() != acl.CodeForbidden {
		t.Errorf("a player kicks: %v", err)
	}
	n, err := kickPlayer.Call(t.Context(), admin.sess, &Kick{"ann", "you were rude"})
	if err != nil || *n != 1 {
		t.Fatal(n, err)
	}
	if st := ann.ended(t); st.Code() != codeKicked || !strings.Contains(st.Msg(), "you were rude") {
		t.Errorf("ann was told %v", st)
	}
	if st := ann.sess.Push(steer.Name, &Heading{}); st.OK() && ann.sess.Connected() {
		t.Error("ann is back")
	}
	r.srv.tick(time.Now())
	erpctest.Eventually(t, "ben sees the room without ann", func() bool {
		s, _ := ben.seen()
		_, there := s.Players["ann"]
		return s.Tick == 1 && len(s.Players) == 2 && !there
	})
}

func TestCheatsAreThrownOut(t *testing.T) {
	r := newRig(t)
	g := r.play("ann", "player", "lobby")
	if err := g.steer(t.Context(), 5, 0); err != nil {
		t.Fatal(err)
	}
	if st := g.ended(t); st.Code() != codeCheating {
		t.Errorf("told %v", st)
	}
}

func TestPlayersComeBackWhereTheyWere(t *testing.T) {
	r := newRig(t)
	g := r.play("ann", "player", "lobby")
	if err := g.steer(t.Context(), 1, 0); err != nil {
		t.Fatal(err)
	}
	erpctest.Eventually(t, "ann goes", func() bool {
		r.srv.tick(time.Now())
		s, _ := g.seen()
		return s.Players["ann"].X > roomSize/2
	})
	before := auth.SessionsOf(r.srv.peer, "ann")[0]
	if err := before.Close(); err != nil { // as if the network had failed
		t.Fatal(err)
	}
	erpctest.Eventually(t, "ann is in the room again", func() bool {
		return r.srv.peer.Group("lobby").Len() == 1 && !r.srv.peer.Group("lobby").Has(before)
	})
	last, _ := g.seen()
	r.srv.tick(time.Now())
	erpctest.Eventually(t, "ann sees a state", func() bool { s, _ := g.seen(); return s.Tick > last.Tick })
	s, disorder := g.seen()
	if disorder != nil || s.Players["ann"].X <= roomSize/2 || len(s.Players) != 1 {
		t.Errorf("%v, %v", s, disorder)
	}
	if !g.sess.Connected() {
		t.Error("another session")
	}
}

func TestPlayersWhoDoNotComeBackLeave(t *testing.T) {
	r := newRig(t)
	r.play("ann", "player", "lobby")
	ben := r.play("ben", "player", "lobby")
	ben.peer.Close()
	erpctest.Eventually(t, "the server knows", func() bool { return r.srv.peer.Group("lobby").Len() == 1 })
	if s := r.srv.world.step(time.Now()); len(s["lobby"].Players) != 2 {
		t.Error("ben has left at once")
	}
	erpctest.Eventually(t, "ben has left", func() bool { // the hook may run a little after the end of the membership
		return len(r.srv.world.step(time.Now().Add(time.Hour))["lobby"].Players) == 1
	})
}

func TestSecondLoginReplacesTheFirst(t *testing.T) {
	r := newRig(t)
	first := r.play("ann", "player", "lobby")
	second := r.play("ann", "player", "lobby")
	if st := first.ended(t); st.Code() != codeReplaced {
		t.Errorf("told %v", st)
	}
	r.srv.tick(time.Now())
	erpctest.Eventually(t, "the second one plays", func() bool { s, _ := second.seen(); return len(s.Players) == 1 })
	if n := r.srv.peer.Group("lobby").Len(); n != 1 {
		t.Errorf("%d sessions in the room", n)
	}
}

func TestFloodOfPushesIsDropped(t *testing.T) {
	r := newRig(t)
	g, quiet := r.play("ann", "player", "lobby"), r.play("ben", "player", "lobby")
	for range 1000 {
		if err := g.steer(t.Context(), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	erpctest.Eventually(t, "pushes are dropped", func() bool { return r.srv.steer.Refused() > 0 })
	if err := quiet.steer(t.Context(), 0, 1); err != nil {
		t.Fatal(err)
	}
	erpctest.Eventually(t, "ben can steer", func() bool {
		return r.srv.world.step(time.Now())["lobby"].Players["ben"].Y > roomSize/2
	})
	if !g.sess.Connected() {
		t.Error("the session has ended")
	}
}

func TestStrangersStayOutside(t *testing.T) {
	r := newRig(t)
	for name, token := range map[string]string{
		"no token":       "",
		"another secret": mint("guess", "ann", "player"),
		"another role":   strings.Replace(mint(secret, "ann", "player"), "player", "admin", 1),
		"too long":       mint(secret, strings.Repeat("x", 41), "player"),
	} {
		// Without a limit, a dial that never succeeds would run until the test binary
		// ends.
		_, err := play(context.Background(), r.cfg, "game", token, "lobby", func(*State) {})
		if erpc.StatusFromError(err).Code() != erpc.CodeUnauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, kicked lockedBuffer
	served := make(chan error, 1)
	go func() {
		served <- run(ctx, []string{"serve", "-addr", "127.0.0.1:0", "-secret", secret, "-tick", "10ms"}, &out)
	}()
	var addr string
	erpctest.Eventually(t, "it says where players come to", func() bool {
		_, err := fmt.Sscanf(out.String(), "listening for players on %s\n", &addr)
		return err == nil
	})
	bots := make(chan error, 1)
	go func() { bots <- run(ctx, []string{"bots", "-addr", addr, "-secret", secret, "-n", "3"}, &out) }()
	erpctest.Eventually(t, "bots play", func() bool { return strings.Contains(out.String(), "3 bots play") })
	if err := run(ctx, []string{"kick", "-addr", addr, "-secret", secret, "-name", "bot-1"}, &kicked); err != nil || !strings.Contains(kicked.String(), "kicked 1 sessions of bot-1") {
		t.Errorf("%q, %v", kicked.String(), err)
	}
	erpctest.Eventually(t, "the bot says why", func() bool { return strings.Contains(out.String(), "bot-1 is out: ") })
	cancel()
	if err := errors.Join(<-bots, <-served); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"dance"}} {
		if err := run(ctx, args, &out); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// A lockedBuffer can be used by several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
