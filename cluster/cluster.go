package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// A Cluster makes a peer one node of several. It is a plugin of exactly one
// peer. All methods may be called concurrently.
type Cluster struct {
	engine Engine
	log    Log // nil if the engine is not a Log
	opt    Options
	node   string // random for each start, so that it differs from former nodes

	peer       erpc.EarlyPeer
	codec      byte // of bodies that don't name one
	queueLimit int  // of a session, in bytes
	life       lifetime
	topics     topics
	nodes      nodes
	pending    pending
	barrier    barrier
	served     served
	gaps       gaps
	presences  presences
	leaving    leaving
	lost       atomic.Uint64
	cuts       atomic.Uint64
	beats      uint64 // number of the last beat; only used by tick
	unproven   unproven
	doubted    atomic.Bool  // pushes may have been lost, so the next beat skips a number
	beaten     atomic.Int64 // when the last beat was sent, in nanoseconds since 1970; 0 once it has come back
	lag        atomic.Int64 // how long a beat took to come back
	warned     atomic.Int64 // when a log that can't be read was last warned about
	direct     topic        // of pushes by address and of broadcasts
	dropped    atomic.Uint64

	saying sync.Mutex // held while a sign of life is made and published; taken before mu

	mu      sync.Mutex // guards the following
	stop    context.CancelFunc
	offers  announcement
	offered uint64 // how often offers has changed
	stopped bool
	wg      sync.WaitGroup // goroutines that Close waits for
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// New returns a cluster for a peer that is then made with it:
//
//	c := cluster.New(engine, cluster.Options{})
//	peer := erpc.NewPeer(cfg, c)
//	err := c.Start(ctx)
//
// It panics if the prefix in the options can't be part of a subject.
func New(engine Engine, opt Options) *Cluster {
	opt.setDefaults()
	if !prefixForm.MatchString(opt.Prefix) {
		panic(fmt.Sprintf("cluster: prefix %q: use letters, digits, '-' and '_'", opt.Prefix))
	}
	id := make([]byte, 10)
	_, _ = rand.Read(id) // never fails
	c := &Cluster{engine: engine, opt: opt, node: strings.ToLower(base32.StdEncoding.EncodeToString(id))}
	c.log, _ = engine.(Log)
	c.topics.m = map[string]*topic{}
	c.topics.special = map[*topic]struct{}{}
	c.nodes.m = map[string]*node{}
	c.presences.m = map[string]*presence{}
	c.leaving.since = map[erpc.Session]time.Time{}
	c.pending.m = map[uint64]waiter{}
	c.served.m = map[servedCall]context.CancelFunc{}
	c.gaps.m = map[*member]struct{}{}
	return c
}

// Name implements [erpc.Plugin].
func (c *Cluster) Name() string { return "cluster" }

// Node returns the name of this node.
func (c *Cluster) Node() string { return c.node }

// PostNewPeer implements [erpc.PostNewPeerPlugin].
func (c *Cluster) PostNewPeer(p erpc.EarlyPeer) error {
	if c.peer != nil {
		return errors.New("cluster: one Cluster can't serve two peers; call New for each")
	}
	body, err := codec.GetByName(p.Config().DefaultBodyCodec)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	c.peer, c.codec = p, body.ID()
	c.queueLimit = p.Config().QueueLimit
	return nil
}

// PostDisconnect implements [erpc.PostDisconnectPlugin]: the session leaves its
// rooms and its user.
func (c *Cluster) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	v, _ := sess.Swap().LoadOrStore(memberKey{c}, &member{})
	c.end(v.(*member))
	return nil
}

// Start connects the node with the others. When it returns, this node receives
// messages from them, and knows those that answered within Options.Answer.
func (c *Cluster) Start(ctx context.Context) error {
	if c.peer == nil {
		return errors.New("cluster: make a peer with this plugin before Start")
	}
	if c.log == nil && len(c.opt.History) > 0 {
		return errors.New("cluster: the engine keeps no messages; leave Options.History out")
	}
	if err := c.life.move(lifeNew, lifeStarting); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	if !c.spawn(func() { c.tick(running) }) {
		stop()
	}
	return c.life.move(lifeStarting, lifeRunning)
}

// spawn runs f on a goroutine that Close waits for. It returns false after Close.
func (c *Cluster) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	c.wg.Go(f)
	return true
}

func (c *Cluster) connect(ctx context.Context) error {
	if err := c.engine.Start(ctx, events{c}); err != nil {
		return fmt.Errorf("cluster: start the engine: %w", err)
	}
	for _, subject := range []string{c.subjectNode(c.node), c.subjectAll()} {
		if err := c.engine.Subscribe(ctx, subject); err != nil {
			return fmt.Errorf("cluster: subscribe: %w", err)
		}
	}
	if err := c.say(c.subjectAll(), kindHello, 0); err != nil {
		return fmt.Errorf("cluster: say hello: %w", err)
	}
	if err := c.keep(ctx); err != nil {
		return err
	}
	return c.meet(ctx)
}

// meet waits until no new node has appeared for a moment.
func (c *Cluster) meet(ctx context.Context) error {
	quiet := min(c.opt.Answer/10, 100*time.Millisecond)
	for end, known := time.Now().Add(c.opt.Answer), -1; ; {
		n := len(c.Nodes())
		if n == known || time.Now().After(end) {
			return nil
		}
		known = n
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
}

// Close tells the other nodes that this one leaves and ends the engine. Calls
// that wait for other nodes fail. Close does not end sessions; close the peer
// first.
func (c *Cluster) Close() error {
	if !c.life.end() {
		return nil
	}
	c.saying.Lock()
	_ = c.send(c.subjectAll(), 0, &envelope{kind: kindBye}) // otherwise they notice when the lease ends
	c.saying.Unlock()
	c.mu.Lock()
	c.stopped = true
	if c.stop != nil {
		c.stop()
	}
	c.mu.Unlock()
	c.served.end()
	err := c.engine.Close()
	c.pending.fail(ErrNotRunning)
	c.wg.Wait()
	return err
}

// tickStep is how often tick checks what is due.
const tickStep = 50 * time.Millisecond

// tick does the periodic work: beats, ending unused subscriptions, telling
// gaps.
func (c *Cluster) tick(ctx context.Context) {
	ticker := time.NewTicker(min(tickStep, c.opt.Beat))
	defer ticker.Stop()
	last := time.Now()
	for verified := last; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if now.Sub(last) >= c.opt.Beat {
				last = now
				c.beaten.Store(now.UnixNano())
				c.sendBeat()
				for _, id := range c.nodes.expire(now.Add(-3 * c.opt.Beat)) {
					c.nodeGone(id)
				}
			}
			c.publishChanges() // before retire ends the topics of some
			c.retire(now)
			c.presences.forgetOld(now)
			c.tellGaps()
			c.unblock()
			c.seeOff(now)
			if now.Sub(verified) >= verifyEvery {
				verified = now
				c.spawn(func() { c.verify(ctx) }) // false only after Close
			}
		}
	}
}

// sendBeat sends a numbered sign of life to all nodes. The number shows them
// whether they received the earlier ones. Only tick calls it.
func (c *Cluster) sendBeat() {
	if c.doubted.Swap(false) {
		c.beats++ // skip a number, as if a beat had been lost with the pushes
	}
	number := c.beats + 1
	c.unproven.sendBeat(number)
	if err := c.say(c.subjectAll(), kindBeat, number); err == nil { // if it fails, the next one may succeed
		c.beats++
	}
}

// say sends a sign of life with what this node offers now. Signs of life are
// made and sent one at a time, so that an older one never follows a newer one.
// After Close it sends nothing, because others would take a node that has left
// for alive.
func (c *Cluster) say(subject string, k kind, number uint64) error {
	c.saying.Lock()
	defer c.saying.Unlock()
	if c.life.is() == lifeClosed {
		return nil
	}
	e := c.beat(k)
	e.id = number
	return c.send(subject, 0, e)
}

func (c *Cluster) subjectAll() string             { return c.opt.Prefix + ".all" }
func (c *Cluster) subjectNode(node string) string { return c.opt.Prefix + ".n." + node }
func (c *Cluster) subjectUser(user string) string { return c.opt.Prefix + ".u." + escape(user) }

// send publishes an envelope of this node.
func (c *Cluster) send(subject string, token uint64, e *envelope) error {
	e.node = c.node
	if e.size() > c.engine.MaxPayload() {
		return ErrTooLarge
	}
	err := c.engine.Publish(subject, token, e.encode())
	if err == nil && (e.kind == kindPush || e.kind == kindChange) {
		c.unproven.push()
	}
	return err
}
