package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// Metadata of a push of a room with history. A client that keeps the position can
// give it to [Cluster.Resume].
const (
	MetaRoom     = "X-Erpc-Room"
	MetaPosition = "X-Erpc-Pos"
)

// Members of a room with history get every message once and in order. Each
// member has the position of the last message queued for it. A live message
// carries the number of the previous one, so a member that does not have that
// one is behind and has to be served from the log. The same holds for a member
// whose queue was full, that was cut off, or that joins from an old position.
// One goroutine per room reads the log, for all members at the same position
// together. It keeps live messages that arrive meanwhile, so that reading comes
// to an end.

// pageSize is how many messages one read of a log returns.
const pageSize = 100

// maxRecent is how many live messages are kept while a member is behind.
const maxRecent = 1024

// A live is a message of a log as the engine delivered it.
type live struct {
	at   Position
	prev uint64 // Seq of the previous message; 0 if the log has none
	e    *envelope
}

// A feed is the additional state of a topic with history.
type feed struct {
	reading bool // a goroutine runs readRounds
	known   known
	recent  []live    // live messages that arrived while reading
	retry   time.Time // when to read again after an error
}

// A known is what a node knows about the end of a log. What is read later
// includes it; what was read before may not.
type known struct {
	heard  Position // position of the last live message
	doubts uint64   // how often messages may have been missed
}

// Stored implements [Events].
func (ev events) Stored(subject string, at Position, prev uint64, data []byte) {
	c := ev.c
	e, err := decode(data)
	if err != nil || e.kind != kindPush {
		c.warn("cluster: stored message to %s: %v", subject, errors.Join(err, errEnvelope))
		return
	}
	t := c.topics.get(subject)
	if t == nil {
		return
	}
	t.deliver.Lock()
	defer t.deliver.Unlock()
	t.mu.Lock()
	back := t.feed.known.heard.Epoch == at.Epoch && at.Seq < t.feed.known.heard.Seq
	t.feed.known.heard = at
	if t.feed.reading && len(t.feed.recent) < maxRecent {
		t.feed.recent = append(t.feed.recent, live{at, prev, e})
	}
	t.mu.Unlock()
	c.pushStored(t, t.inState(feedLive, nil), live{at, prev, e})
	if back { // the log started over, unnoticed by the engine
		c.doubt(t, nil)
	}
	c.read(t)
}

// pushStored queues a message for the members that have the previous one.
// t.deliver is held.
func (c *Cluster) pushStored(t *topic, members []*membership, l live) {
	t.mu.Lock()
	var ready []*membership
	for _, in := range members {
		switch {
		case t.members[in.m] != in || in.state != feedLive && in.state != feedBehind || in.at.covers(l.at):
		case in.at.Epoch != l.at.Epoch || in.at.Seq < l.prev:
			in.moveLocked(feedBehind)
		case in.hasLocked(l.at):
			in.at = l.at
		case l.e.except != "" && c.Address(in.m.sess) == l.e.except:
			in.at = l.at
		default:
			ready = append(ready, in)
		}
	}
	t.mu.Unlock()
	failed := c.queueAt(t, ready, l.at, l.e)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range ready {
		if failed[in] {
			in.moveLocked(feedBlocked)
		} else {
			in.at = l.at
		}
	}
}

// queueAt pushes a message with its position, and returns the members whose
// queue was full.
func (c *Cluster) queueAt(t *topic, to []*membership, at Position, e *envelope) map[*membership]bool {
	if len(to) == 0 {
		return nil
	}
	sessions := make([]erpc.Session, len(to))
	for i, in := range to {
		sessions[i] = in.m.sess
	}
	settings := append(e.settings(), erpc.WithSetMeta(MetaRoom, t.room), erpc.WithSetMeta(MetaPosition, at.String()))
	_, refused := erpc.TryBroadcastTo(sessions, e.method, e.body, settings...)
	if len(refused) == 0 {
		return nil
	}
	failed := map[*membership]bool{}
	for _, in := range to {
		if refused[in.m.sess.ID()] != nil {
			failed[in] = true
		}
	}
	return failed
}

// inState returns the members in a state and, if at is not nil, at that
// position.
func (t *topic) inState(s feedState, at *Position) (found []*membership) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.members {
		if in.state == s && (at == nil || in.at == *at) {
			found = append(found, in)
		}
	}
	return found
}

// read starts the goroutine that reads the log if a member is behind.
func (c *Cluster) read(t *topic) {
	t.mu.Lock()
	begin := !t.feed.reading && t.anyLocked(feedBehind)
	if begin {
		t.feed.reading = true
	}
	t.mu.Unlock()
	if begin {
		c.spawn(func() { c.readRounds(t) }) // returns false only after Close
	}
}

func (t *topic) anyLocked(s feedState) bool {
	for _, in := range t.members {
		if in.state == s {
			return true
		}
	}
	return false
}

// readRounds reads the log until no member is behind, beginning with the member
// furthest behind.
func (c *Cluster) readRounds(t *topic) {
	for {
		since, known, ok := t.nextBehind()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), readLimit)
		page, err := c.log.Read(ctx, t.subject, since, pageSize)
		cancel()
		if err != nil {
			c.warnOfLog(t, err)
			t.mu.Lock()
			t.feed.retry = time.Now().Add(retryPause)
			for _, in := range t.members {
				if in.state == feedBehind {
					in.moveLocked(feedBlocked)
				}
			}
			t.mu.Unlock()
			continue
		}
		c.catchUp(t, since, known, page)
	}
}

// retryPause is the pause before a log is read again after an error.
const retryPause = time.Second

// pausing reports whether reading the log of the topic failed less than
// retryPause ago.
func (t *topic) pausing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.feed.retry)
}

// warnEvery is the minimum time between two warnings about logs that can't be
// read, over all rooms.
const warnEvery = 10 * time.Second

// warnOfLog warns that the log of a room can't be read, unless there was such a
// warning within warnEvery, or the node knows that it is cut off.
func (c *Cluster) warnOfLog(t *topic, err error) {
	now := time.Now().UnixNano()
	last := c.warned.Load()
	if !errors.Is(err, ErrDown) && now-last >= int64(warnEvery) && c.warned.CompareAndSwap(last, now) {
		c.warn("cluster: history of room %q: %v", t.room, err)
	}
}

// readLimit bounds the time of one read of a log.
const readLimit = 5 * time.Second

// nextBehind returns the lowest position of the members that are behind, and
// what is known about the end of the log. If no member is behind, it ends the
// reading and returns false.
func (t *topic) nextBehind() (since Position, so known, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.members {
		if in.state == feedBehind && (!ok || in.at.Seq < since.Seq) {
			since, ok = in.at, true
		}
	}
	if !ok {
		t.feed.reading, t.feed.recent = false, nil
	}
	return since, t.feed.known, ok
}

// catchUp pushes a page to the members at position since. before is what was
// known about the end of the log before the page was read.
func (c *Cluster) catchUp(t *topic, since Position, before known, page Page) {
	t.deliver.Lock()
	defer t.deliver.Unlock()
	group := t.inState(feedBehind, &since)
	if !page.Complete {
		group = c.startAfreshLocked(t, group, page.Top)
	}
	for _, entry := range page.Entries {
		e, err := decode(entry.Data)
		if err != nil {
			c.warn("cluster: history of room %q: %v", t.room, err)
			continue
		}
		c.pushStored(t, group, live{entry.At, 0, e})
	}
	t.mu.Lock()
	recent := t.feed.recent
	for _, in := range group {
		if in.state == feedBehind && !page.More && page.Top.Epoch == in.at.Epoch && page.Top.Seq > in.at.Seq {
			in.at = page.Top
		}
	}
	t.mu.Unlock()
	for _, l := range recent {
		c.pushStored(t, group, l)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range group {
		now := t.feed.known
		all := in.at.covers(now.heard) || now.heard == before.heard
		if in.state == feedBehind && !page.More && all && now.doubts == before.doubts {
			in.moveLocked(feedLive)
		}
	}
}

// startAfreshLocked tells members that the log no longer has what they missed;
// they continue at position at. It returns the members that had room for the
// push. t.deliver is held.
func (c *Cluster) startAfreshLocked(t *topic, group []*membership, at Position) (told []*membership) {
	gap := Gap{Room: t.room, Position: at.String()}
	for _, in := range group {
		_, failed := erpc.TryBroadcastTo([]erpc.Session{in.m.sess}, GapMethod, &gap, erpc.WithBodyCodec(codec.ID_JSON))
		t.mu.Lock()
		if len(failed) > 0 {
			in.moveLocked(feedBlocked)
		} else {
			in.restartLocked(at)
			told = append(told, in)
		}
		t.mu.Unlock()
	}
	return told
}

// unblock makes blocked members read again once their queue is at most half
// full.
func (c *Cluster) unblock() {
	for _, t := range c.topics.allSpecial() {
		if !t.kept || t.pausing() {
			continue
		}
		for _, in := range t.inState(feedBlocked, nil) {
			if in.m.sess.Stats().Queued*2 > c.queueLimit {
				continue
			}
			t.mu.Lock()
			in.moveLocked(feedBehind)
			t.mu.Unlock()
		}
		c.read(t)
	}
}

// doubt makes live members of a room read the log, because they may have missed
// messages. If top is not nil, it does so only for members that have not
// reached that position.
func (c *Cluster) doubt(t *topic, top *Position) {
	t.mu.Lock()
	t.feed.known.doubts++ // for readings in progress
	for _, in := range t.members {
		if in.state == feedLive && (top == nil || !in.at.covers(*top)) {
			in.moveLocked(feedBehind)
		}
	}
	t.mu.Unlock()
	c.read(t)
}

// verifyEvery is how often a node checks that it received the last message of a
// room. A missing earlier message is noticed when the next one arrives.
const verifyEvery = 30 * time.Second

// verify checks every room with history.
func (c *Cluster) verify(ctx context.Context) {
	for _, t := range c.topics.allSpecial() {
		if !t.kept || len(t.all()) == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, readLimit)
		top, err := c.log.Top(ctx, t.subject)
		cancel()
		switch {
		case err == nil:
			c.doubt(t, &top)
		default:
			c.warnOfLog(t, err)
			return // the other rooms would fail as well
		}
	}
}
