package nats

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/goerpc/erpc/cluster"
)

// maxWaiting is how many messages may wait for one worker. nats.go drops
// further ones, and the members of the room are told of a gap.
const maxWaiting = 64 << 10

// statusNobody is the server's answer to a message for a subject without
// subscribers.
const statusNobody = "503"

// Engine is a [cluster.Engine] over a NATS connection, which it owns and
// closes.
type Engine struct {
	// Store says how rooms with history are stored. Set it before Start.
	Store Store

	connect func(...nats.Option) (*nats.Conn, error)
	workers []chan *nats.Msg // each subject has one worker, which keeps its order
	stop    chan struct{}
	wg      sync.WaitGroup

	mu     sync.Mutex // guards the following
	state  state
	conn   *nats.Conn
	inbox  string                        // subject of statusNobody answers
	subs   map[string]*nats.Subscription // by subject
	groups map[string]group              // streams, by the prefix of their subjects
	link   context.Context               // ends when the connection breaks; each connection has a new one
	unlink context.CancelFunc
}

// A state is the life-cycle state of an engine.
type state byte

const (
	stateNew state = iota
	stateStarted
	stateClosed
)

func (s state) String() string { return [...]string{"new", "started", "closed"}[s] }

var _ cluster.Engine = (*Engine)(nil)

// New returns the engine of one node. It dials url, which may list several
// servers separated by commas, with the given options, such as credentials and
// TLS. The engine sets the options about reconnecting: it never gives up, and
// does not buffer messages meanwhile.
func New(url string, opts ...nats.Option) *Engine {
	return FromDial(func(own ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(url, append(append([]nats.Option{}, opts...), own...)...)
	})
}

// FromDial is [New] with a function that connects. The function must append the
// options it is given to its own.
func FromDial(connect func(...nats.Option) (*nats.Conn, error)) *Engine {
	e := &Engine{connect: connect, stop: make(chan struct{}), subs: map[string]*nats.Subscription{}, groups: map[string]group{}}
	e.link, e.unlink = context.WithCancel(context.Background())
	for range runtime.GOMAXPROCS(0) {
		e.workers = append(e.workers, make(chan *nats.Msg, maxWaiting))
	}
	return e
}

// Start implements [cluster.Engine]. It fails if no server can be reached.
func (e *Engine) Start(_ context.Context, ev cluster.Events) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateNew {
		return fmt.Errorf("nats: the engine is %v; make another", e.state)
	}
	conn, err := e.connect(
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			e.relink()
			if err != nil { // otherwise Close does it
				ev.Down(err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			e.keepAgain()
			ev.Up()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil && errors.Is(err, nats.ErrSlowConsumer) {
				ev.Dropped(sub.Subject)
			}
		}),
	)
	if err != nil {
		return fmt.Errorf("nats: connect: %w", err)
	}
	inbox := nats.NewInbox()
	if _, err := conn.Subscribe(inbox+".*", func(m *nats.Msg) { nobody(ev, inbox, m) }); err != nil {
		conn.Close()
		return fmt.Errorf("nats: subscribe to the inbox: %w", err)
	}
	e.conn, e.inbox, e.state = conn, inbox, stateStarted
	for _, w := range e.workers {
		e.wg.Go(func() { e.work(w, ev) })
	}
	return nil
}

// nobody reports the token of a publish that had no subscribers.
func nobody(ev cluster.Events, inbox string, m *nats.Msg) {
	if m.Header.Get("Status") != statusNobody {
		return
	}
	token, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, inbox+"."), 10, 64)
	if err == nil {
		ev.Nobody(token)
	}
}

func (e *Engine) work(messages <-chan *nats.Msg, ev cluster.Events) {
	for {
		select {
		case m := <-messages:
			if !e.stored(m, ev) {
				ev.Message(m.Subject, m.Data)
			}
		case <-e.stop:
			return
		}
	}
}

// flushLimit bounds Close, and a Subscribe whose context has no deadline.
const flushLimit = 5 * time.Second

// Subscribe implements [cluster.Engine].
func (e *Engine) Subscribe(ctx context.Context, subject string) error {
	conn, err := e.subscribe(subject)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := conn.FlushWithContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("nats: subscribe: %w", err), e.Unsubscribe(subject))
	}
	return nil
}

// subscribe subscribes and returns the connection, which the caller must flush.
func (e *Engine) subscribe(subject string) (*nats.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateStarted || !e.conn.IsConnected() {
		return nil, cluster.ErrDown
	}
	if e.subs[subject] == nil {
		h := fnv.New32a()
		_, _ = h.Write([]byte(subject)) // never fails
		sub, err := e.conn.ChanSubscribe(subject, e.workers[h.Sum32()%uint32(len(e.workers))])
		if err != nil {
			return nil, fmt.Errorf("nats: subscribe: %w", err)
		}
		e.subs[subject] = sub
	}
	return e.conn, nil
}

// Unsubscribe implements [cluster.Engine].
func (e *Engine) Unsubscribe(subject string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	sub := e.subs[subject]
	if sub == nil {
		return nil
	}
	delete(e.subs, subject)
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("nats: unsubscribe: %w", err)
	}
	return nil
}

// Publish implements [cluster.Engine].
func (e *Engine) Publish(subject string, token uint64, data []byte) error {
	conn, inbox := e.started()
	if conn == nil || !conn.IsConnected() {
		return cluster.ErrDown
	}
	var err error
	if token == 0 {
		err = conn.Publish(subject, data)
	} else {
		err = conn.PublishRequest(subject, inbox+"."+strconv.FormatUint(token, 10), data)
	}
	if err != nil {
		return publishError(err)
	}
	return nil
}

// started returns the connection and the inbox; the connection is nil before
// Start.
func (e *Engine) started() (*nats.Conn, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn, e.inbox
}

// MaxPayload implements [cluster.Engine]. Before Start it returns 1 MiB.
func (e *Engine) MaxPayload() int {
	conn, _ := e.started()
	if conn == nil {
		return 1 << 20
	}
	return int(conn.MaxPayload())
}

// Close implements [cluster.Engine]. It flushes published messages first, and waits up
// to five seconds for the server to confirm that. Without a connection, there is
// nothing to flush: Events.Down has told that messages are lost.
func (e *Engine) Close() error {
	e.mu.Lock()
	was := e.state
	e.state = stateClosed
	conn := e.conn
	e.mu.Unlock()
	if was != stateStarted {
		return nil
	}
	var err error
	if conn.IsConnected() {
		err = conn.FlushTimeout(flushLimit)
		if errors.Is(err, nats.ErrConnectionClosed) || !conn.IsConnected() { // it broke meanwhile
			err = nil
		}
	}
	closed := conn.StatusChanged(nats.CLOSED)
	conn.Close()
	<-closed
	close(e.stop)
	e.wg.Wait()
	if err != nil {
		return fmt.Errorf("nats: flush before the end: %w", err)
	}
	return nil
}
