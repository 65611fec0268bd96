package main

import (
	"context"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/socket"
)

// A server connects a world with the sessions of its players. The sessions of a
// room are a group of the peer.
type server struct {
	peer  erpc.Peer
	world *world
	steer *limit.Rater // limits how often players steer

	mu      sync.Mutex              // guards the following
	playing map[string]erpc.Session // by name: a player has one session
}

// newServer returns a server that is ready to accept sessions and to tick.
func newServer(cfg erpc.PeerConfig, secret string, grace time.Duration) *server {
	s := &server{
		world:   newWorld(grace),
		playing: map[string]erpc.Session{},
		steer:   limit.NewRate(limit.Rate{Per: limit.PerSession, Limit: 60, Burst: 60}),
	}
	cfg.ReadLimit = 4 << 10 // messages of players are small
	// A player that reads too slowly loses old states and does not delay others.
	cfg.QueuePolicy, cfg.QueueLimit = socket.DropOld, 64<<10
	s.peer = erpc.NewPeer(cfg,
		login(secret),
		acl.New(acl.Config{Rules: []acl.Rule{
			{Methods: []string{"/game/*"}, Allow: []string{acl.Authenticated}},
			{Methods: []string{"/admin/*"}, Allow: []string{"role:admin"}},
		}}),
		&erpc.PluginImpl{PluginName: "game", OnPostDisconnect: s.disconnected},
	)
	enterRoom.Handle(s.peer, s.enter)
	steer.HandlePush(s.peer, s.steered, limit.Ordered(), s.steer)
	kickPlayer.Handle(s.peer, s.kick)
	return s
}

// run ticks until ctx ends.
func (s *server) run(ctx context.Context, every time.Duration) {
	for tick := time.Tick(every); ; {
		select {
		case now := <-tick:
			s.tick(now)
		case <-ctx.Done():
			return
		}
	}
}

// tick moves all players and pushes the state of each room. Only one goroutine
// calls it, so states are sent in order.
func (s *server) tick(now time.Time) {
	for room, state := range s.world.step(now) {
		s.peer.Group(room).Broadcast(roomState.Name, state, nil)
	}
}

func (s *server) enter(ctx context.Context, arg *Enter) (*Welcome, error) {
	sess := erpc.CallCtxFrom(ctx).Session()
	name := auth.IdentityOf(sess).Name
	at, before, st := s.seat(sess, name, arg.Room)
	if !st.OK() {
		return nil, st.Err()
	}
	if before != nil && before != sess {
		// Don't hold the mutex: the hook disconnected is called before CloseWith
		// returns.
		_ = before.CloseWith(erpc.NewStatus(codeReplaced, "you play from elsewhere now"), false) // it ends in any case
	}
	return &Welcome{name, at}, nil
}

// seat makes sess the session of a player in a room, and returns the player's
// previous session.
func (s *server) seat(sess erpc.Session, name, room string) (at Point, before erpc.Session, st *erpc.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.playing[name]
	at, st = s.world.enter(name, room)
	if !st.OK() {
		return at, nil, st
	}
	for _, other := range s.peer.Groups(sess) {
		s.peer.Group(other).Leave(sess)
	}
	s.playing[name] = sess
	if !s.peer.Group(room).Join(sess) { // it has ended meanwhile, and disconnected may have run before
		s.goneLocked(name, sess)
	}
	return at, before, nil
}

func (s *server) steered(ctx context.Context, h *Heading) error {
	sess := erpc.PushCtxFrom(ctx).Session()
	if !s.world.steer(auth.IdentityOf(sess).Name, *h) {
		return sess.CloseWith(erpc.NewStatus(codeCheating, "nobody is that fast"), false)
	}
	return nil
}

func (s *server) kick(ctx context.Context, arg *Kick) (*int, error) {
	sessions := auth.SessionsOf(s.peer, arg.Name)
	for _, sess := range sessions {
		_ = sess.CloseWith(erpc.NewStatus(codeKicked, arg.Reason), false) // it ends in any case
	}
	s.world.leave(arg.Name)
	s.peer.Config().Logger.InfoContext(ctx, "player kicked", "name", arg.Name, "reason", arg.Reason)
	n := len(sessions)
	return &n, nil
}

// disconnected is the hook for sessions that have ended.
func (s *server) disconnected(sess erpc.BaseSession) *erpc.Status {
	if id := auth.IdentityOf(sess); id != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if now := s.playing[id.Name]; now != nil && now.ID() == sess.ID() {
			s.goneLocked(id.Name, now)
		}
	}
	return nil
}

func (s *server) goneLocked(name string, sess erpc.Session) {
	if s.playing[name] == sess {
		delete(s.playing, name)
		s.world.lost(name, time.Now())
	}
}
