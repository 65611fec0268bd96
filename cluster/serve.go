package cluster

import (
	"context"

	"github.com/goerpc/erpc"
)

// A JoinRequest is the argument of the calls of cluster/member.
type JoinRequest struct {
	Room     string `json:"room"`
	Position string `json:"position,omitempty"` // of the last push of the room; "" for the first join
	Leave    bool   `json:"leave,omitempty"`    // instead of joining
}

// HandleJoin registers the handler of the calls of cluster/member. authorize
// decides whether a session may be in a room: an error refuses it and is the
// reply. If authorize is nil, which would let everyone read every room,
// HandleJoin panics.
func (c *Cluster) HandleJoin(peerOrSubRouter Registrar, path string, authorize func(ctx context.Context, sess erpc.Session, room string) error, plugins ...erpc.Plugin) {
	if authorize == nil {
		panic("cluster: HandleJoin needs authorize, because members of a room read everything that is published there")
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

// A Registrar is a peer or a sub-router.
type Registrar interface {
	Handle(h *erpc.Handler, plugins ...erpc.Plugin) string
	HandleAll(handlers []*erpc.Handler, plugins ...erpc.Plugin) []string
	Path(name string) string
}
