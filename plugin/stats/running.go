package stats

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// maxRunning bounds how many running calls are returned.
const maxRunning = 100

// A RunningCall is a call or push whose handler is running, or that waits for
// its handler.
type RunningCall struct {
	Method  string
	Kind    Kind
	Session string // its id
	Remote  string
	Begin   time.Time
}

// An entry links a mark into the list of a shard.
type entry struct {
	kind       Kind
	sess       erpc.Session // nil: in no list
	in         *shard
	prev, next *mark
}

// A shard holds a part of the running calls, oldest first.
type shard struct {
	mu          sync.Mutex // guards the following, and the entries of the list
	first, last *mark
}

// running holds the running calls, in several lists to reduce lock contention.
// The zero value is ready.
type running struct{ shards [16]shard }

func (r *running) enter(k *mark, kind Kind, ctx erpc.ReadCtx) {
	s := &r.shards[uint32(ctx.Seq())%uint32(len(r.shards))]
	k.entry = entry{kind: kind, sess: ctx.Session(), in: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.prev = s.last
	if s.last == nil {
		s.first = k
	} else {
		s.last.next = k
	}
	s.last = k
}

func (r *running) leave(k *mark) {
	s := k.in
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.sess == nil {
		return
	}
	if k.prev == nil {
		s.first = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next == nil {
		s.last = k.prev
	} else {
		k.next.prev = k.prev
	}
	k.sess, k.prev, k.next = nil, nil, nil
}

// oldest appends the oldest calls of the shard, at most n.
func (s *shard) oldest(list []RunningCall, n int) []RunningCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := s.first; k != nil && n > 0; k, n = k.next, n-1 {
		list = append(list, RunningCall{
			Method: clip(k.m.name), Kind: k.kind, Session: clip(k.sess.ID()), Remote: k.sess.RemoteAddr().String(), Begin: k.begin,
		})
	}
	return list
}

// Running returns at most 100 of the calls and pushes that are being handled,
// oldest first, so calls that hang are at the beginning. It does not include
// streams.
func (s *Stats) Running() []RunningCall {
	var list []RunningCall
	for i := range s.running.shards {
		list = s.running.shards[i].oldest(list, maxRunning)
	}
	slices.SortFunc(list, func(a, b RunningCall) int { return cmp.Or(a.Begin.Compare(b.Begin), cmp.Compare(a.Method, b.Method)) })
	return list[:min(len(list), maxRunning)]
}
