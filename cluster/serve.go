package cluster

import (
	"context"

	"github.com/goerpc/erpc"
)

// A JoinRequest is the argument of the calls of cluster/member.
type JoinRequest struct {
	Room     string `json:"room"`
	Position string `json:"position,omitempty"` // of the last push of that room; "" at first
	Leave    bool   `json:"leave,omitempty"`    // instead of joining
}

// HandleJoin registers the handler of calls that clients make with cluster/member.
// authorize says whether a session may be in a room: an error refuses, and is the
// reply. nil would let everybody read every room, so HandleJoin panics.
func (c *Cluster) HandleJoin(peerOrSubRouter Registrar, path string, authorize func(ctx context.Context, sess erpc.Session, room string) error, plugins ...erpc.Plugin) {
	if authorize == nil {
		panic("cluster: HandleJoin without authorize: whoever is in a room reads what is said there")
	}
	erpc.HandleCall(peerOrSubRouter, path, func(ctx context.Context, r *JoinRequest) (*Joined, error) {
		sess := erpc.CallCtxFrom(ctx).Session()
		if r.Leave {
			c.Leave(sess, r.Room)
			return &Joined{}, nil
		}
		if err := authorize(ctx, sess, r.Room); err != nil {
			return nil, err
		}
		joined, err := c.Resume(ctx, sess, r.Room, r.Position)
		if err != nil {
			return nil, err
		}
		return &joined, nil
	}, plugins...)
}

// A Registrar is a peer or a sub-router of one.
type Registrar interface {
	Handle(h *erpc.Handler, plugins ...erpc.Plugin) string
	HandleAll(handlers []*erpc.Handler, plugins ...erpc.Plugin) []string
	Path(name string) string
}
