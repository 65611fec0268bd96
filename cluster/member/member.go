// Package member keeps a client in its rooms: it remembers the position in
// rooms with history, and joins again when the session has a new connection, to
// any node. The nodes register [cluster.Cluster.HandleJoin] at the same path.
package member

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
)

// Rooms holds the rooms that a client is in. It is a plugin of the client's
// peer, which must have one session at a time. All methods may be called
// concurrently.
type Rooms struct {
	path   string
	afresh func(room string)

	mu     sync.Mutex // guards the following
	m      map[string]*room
	cancel context.CancelFunc // ends the attempts to join again
	closed bool
	wg     sync.WaitGroup
}

// A room is one that the client is in.
type room struct {
	at      cluster.Position
	version int  // incremented with each change of at
	joined  bool // Join has succeeded
}

var (
	_ erpc.PostOpenPlugin           = (*Rooms)(nil)
	_ erpc.PostReadPushHeaderPlugin = (*Rooms)(nil)
)

// New returns the plugin of a client that joins rooms with calls of path.
// afresh is called when the client has missed pushes of a room that it will not
// get any more; it should reload what the client shows. It runs on its own
// goroutine or on that of a handler.
func New(path string, afresh func(room string)) *Rooms {
	if afresh == nil {
		afresh = func(string) {}
	}
	return &Rooms{path: path, afresh: afresh, m: map[string]*room{}}
}

// Name implements [erpc.Plugin].
func (r *Rooms) Name() string { return "member" }

// PostNewPeer implements [erpc.PostNewPeerPlugin]: it registers the handler of gaps.
func (r *Rooms) PostNewPeer(p erpc.EarlyPeer) error {
	erpc.HandlePush(p, cluster.GapMethod, func(_ context.Context, g *cluster.Gap) error {
		if at, err := cluster.ParsePosition(g.Position); err == nil {
			r.advance(g.Room, at)
		}
		r.afresh(g.Room)
		return nil
	})
	return nil
}

// Join makes the client a member of a room until Leave. When its session gets a
// new connection, or its peer a new session, the plugin joins again.
func (r *Rooms) Join(ctx context.Context, sess erpc.Session, name string) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errors.New("member: the rooms are closed")
	}
	if r.m[name] == nil {
		r.m[name] = &room{}
	}
	r.mu.Unlock()
	_, err := r.join(ctx, sess, name)
	if err != nil {
		r.mu.Lock()
		delete(r.m, name)
		r.mu.Unlock()
	}
	return err
}

// join calls the node, and adopts the position in the reply if the client was
// not recovered.
func (r *Rooms) join(ctx context.Context, to erpc.Caller, name string) (recovered bool, err error) {
	r.mu.Lock()
	x := r.m[name]
	if x == nil { // it has left
		r.mu.Unlock()
		return true, nil
	}
	since, version := x.at, x.version
	r.mu.Unlock()
	joined, err := erpc.Call[cluster.Joined](ctx, to, r.path, &cluster.JoinRequest{Room: name, Position: since.String()})
	if err != nil {
		return false, err
	}
	at, err := cluster.ParsePosition(joined.Position)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x.joined = true
	if !joined.Recovered && x.version == version { // otherwise a push has arrived meanwhile
		x.at, x.version = at, version+1
	}
	return joined.Recovered, nil
}

// Leave ends the membership.
func (r *Rooms) Leave(ctx context.Context, sess erpc.Session, name string) error {
	r.mu.Lock()
	delete(r.m, name)
	r.mu.Unlock()
	_, err := erpc.Call[cluster.Joined](ctx, sess, r.path, &cluster.JoinRequest{Room: name, Leave: true})
	return err
}

// Position returns the position of the last push of a room, or "" if it has no
// history.
func (r *Rooms) Position(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.m[name]; x != nil {
		return x.at.String()
	}
	return ""
}

// PostReadPushHeader implements [erpc.PostReadPushHeaderPlugin]: it records the
// position of a push.
func (r *Rooms) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	if text := ctx.PeekMeta(cluster.MetaPosition); text != nil {
		if at, err := cluster.ParsePosition(string(text)); err == nil { // otherwise the metadata is not a position
			r.advance(string(ctx.PeekMeta(cluster.MetaRoom)), at)
		}
	}
	return nil
}

// advance records a position that is later than the last one, or of another
// epoch.
func (r *Rooms) advance(name string, at cluster.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.m[name]
	if x != nil && at != (cluster.Position{}) && (x.at.Epoch != at.Epoch || x.at.Seq < at.Seq) {
		x.at, x.version = at, x.version+1
	}
}

// PostOpen implements [erpc.PostOpenPlugin]: the session joins again.
func (r *Rooms) PostOpen(sess erpc.Session, _ bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel() // stop joining over the previous connection
		r.cancel = nil
	}
	if len(r.m) == 0 || r.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	var names []string
	for name, x := range r.m {
		if x.joined { // otherwise Join is still in progress and will retry
			names = append(names, name)
		}
	}
	slices.Sort(names)
	r.wg.Go(func() {
		defer cancel()
		for _, name := range names {
			if !r.rejoin(ctx, sess, name) {
				return
			}
		}
	})
}

// Bounds of the pause between two attempts to join again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// rejoin joins one room again, and reports whether to continue with the next
// one.
func (r *Rooms) rejoin(ctx context.Context, sess erpc.Session, name string) bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		recovered, err := r.join(ctx, sess, name)
		if err == nil {
			if !recovered {
				r.afresh(name)
			}
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-sess.CloseNotify():
			return false
		case <-time.After(pause):
		}
	}
}

// Close ends the attempts to join again.
func (r *Rooms) Close() {
	r.mu.Lock()
	r.closed = true
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.wg.Wait()
}
