package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// recording is a transport that keeps dialed connections, so that a test can cut
// them.
type recording struct {
	socket.Transport
	network string // of the transport

	mu    sync.Mutex // guards the following
	conns []net.Conn
}

func (r *recording) Networks() []string { return []string{"recording"} }

func (r *recording) Dial(ctx context.Context, _, addr string, o *socket.Options) (net.Conn, error) {
	conn, err := r.Transport.Dial(ctx, r.network, addr, o)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, conn)
	return conn, nil
}

func (r *recording) Listen(ctx context.Context, _, addr string, o *socket.Options) (net.Listener, error) {
	return r.Transport.Listen(ctx, r.network, addr, o)
}

// forget forgets all but the last connections.
func (r *recording) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = slices.Clone(r.conns[max(0, len(r.conns)-8):])
}

// some returns one of the last connections, or nil.
func (r *recording) some(rnd *rand.Rand) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.conns) == 0 {
		return nil
	}
	return r.conns[max(0, len(r.conns)-1-rnd.IntN(8))]
}

// faulty returns an in-memory transport. Most of its connections have a fault,
// chosen by seed: late bytes, reads of a few bytes, a cut, a corrupted byte, or
// silence from some byte on, in either direction.
func faulty(seed uint64) *memory.Transport {
	var mu sync.Mutex // guards rnd
	rnd := rand.New(rand.NewPCG(seed, 1))
	fault := func() (f memory.Fault) {
		at := 1 + rnd.IntN(4000)
		switch rnd.IntN(8) {
		case 0, 1:
			f.Delay = time.Duration(rnd.IntN(5)) * time.Millisecond
		case 2, 3:
			f.MaxRead = 1 + rnd.IntN(7)
		case 4:
			f.CutAt = at
		case 5:
			f.CorruptAt = at
		case 6:
			f.StallAt = at
		}
		return f
	}
	return &memory.Transport{Faults: func() (memory.Fault, memory.Fault) {
		mu.Lock()
		defer mu.Unlock()
		return fault(), fault()
	}}
}

// A walk has a server, which restarts, two clients, one of which redials, and a
// ledger of the calls between them.
type walk struct {
	t        *testing.T
	rnd      *rand.Rand
	server   erpc.Peer
	addr     string
	net      *recording
	faults   bool // bytes may be corrupted, so that a status may be any
	clients  []erpc.Peer
	sessions []erpc.Session
	calls    []erpc.CallCmd // asynchronous ones
	cancels  []context.CancelFunc
	ended    chan erpc.CallCmd
	trace    []string // the last steps

	executed executions
}

// executions counts how often each numbered call began. The zero value is ready.
type executions struct {
	mu   sync.Mutex // guards the following
	next int
	of   map[int]int
}

// number returns the number of the next call.
func (e *executions) number() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	return e.next
}

func (e *executions) begin(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.of = map[int]int{}
	}
	e.of[n]++
}

// twice returns the calls that have begun more than once since its last call.
func (e *executions) twice() (numbers []int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n, times := range e.of {
		if times > 1 {
			numbers = append(numbers, n)
		}
	}
	clear(e.of)
	return numbers
}

func (w *walk) routes(p erpc.Peer) {
	erpc.HandleCall(p, "/add", kit.Add)
	erpc.HandleCall(p, "/slow", func(ctx context.Context, ms *int) (*int, error) {
		select {
		case <-time.After(time.Duration(*ms) * time.Millisecond):
			return ms, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	erpc.HandleCall(p, "/back", func(ctx context.Context, n *int) (*int, error) {
		return erpc.Call[int](ctx, erpc.CallCtxFrom(ctx).Session(), "/slow", 1)
	})
	erpc.HandleCall(p, "/close", func(ctx context.Context, _ *int) (*int, error) {
		_ = erpc.CallCtxFrom(ctx).Session().Close()
		return nil, nil
	})
	erpc.HandlePush(p, "/push", func(context.Context, *[]byte) error { return nil })
	// A service forwards a refusal of its backend: such a call must not be
	// repeated.
	erpc.HandleCall(p, "/forward", func(_ context.Context, n *int) (*int, error) {
		w.executed.begin(*n)
		return nil, erpc.NewStatus([]int32{erpc.CodeShuttingDown, erpc.CodeExhausted}[*n%2], "the backend says so", "").Err()
	})
	erpc.HandleCall(p, "/exit", func(_ context.Context, n *int) (*int, error) {
		w.executed.begin(*n)
		runtime.Goexit()
		return nil, nil
	})
	erpc.HandlePush(p, "/exit", func(context.Context, *int) error {
		runtime.Goexit()
		return nil
	})
	erpc.HandleCall(p, "/count", func(_ context.Context, n *int) (*int, error) {
		w.executed.begin(*n)
		return n, nil
	})
	erpc.HandleStream(p, "/echo", func(_ context.Context, s *erpc.Stream[int, int]) error {
		for {
			n, err := s.Recv()
			if err != nil {
				return nil
			}
			if err := s.Send(n); err != nil {
				return err
			}
		}
	})
}

// config returns the common configuration of the walk's peers.
func (w *walk) config() erpc.PeerConfig {
	cfg := erpc.PeerConfig{Network: "recording", Transports: []erpc.Transport{w.net}}
	if w.faults { // a reply with a corrupted sequence number is lost
		cfg.DefaultContextAge = 300 * time.Millisecond
	}
	return cfg
}

// start starts a server, at the address of the previous one.
func (w *walk) start() {
	cfg := w.config()
	cfg.ListenAddress, cfg.MaxSessionHandlers = w.addr, 16
	w.server = kit.TCP.Peer(w.t, cfg)
	w.routes(w.server)
	kit.Start(w.t, w.server)
}

func pick[T any](rnd *rand.Rand, of []T) (one T, ok bool) {
	if len(of) == 0 {
		return one, false
	}
	return of[rnd.IntN(len(of))], true
}

// here returns a session of the server.
func (w *walk) here() (erpc.Session, bool) {
	var all []erpc.Session
	w.server.RangeSession(func(s erpc.Session) bool { all = append(all, s); return true })
	return pick(w.rnd, all)
}

// some returns a session of either end, open or not.
func (w *walk) some() (erpc.Session, bool) {
	if w.rnd.IntN(3) == 0 {
		return w.here()
	}
	return pick(w.rnd, w.sessions)
}

// ops are the steps; each returns at once or after a short time.
var ops = []struct {
	name string
	odds int
	do   func(*walk)
}{
	{"dial", 6, func(w *walk) {
		c, _ := pick(w.rnd, w.clients)
		ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
		defer cancel()
		if s, st := c.DialContext(ctx, w.addr); st.OK() {
			w.sessions = append(w.sessions, s)
		}
	}},
	{"call", 20, func(w *walk) { w.call("/add", &kit.Sum{A: 1, B: 2}) }},
	{"slow call", 10, func(w *walk) { w.call("/slow", w.rnd.IntN(30)) }},
	{"call back", 4, func(w *walk) { w.call("/back", 1) }},
	{"close in a handler", 1, func(w *walk) { w.call("/close", 1) }},
	{"forwarded refusal", 4, func(w *walk) { w.call("/forward", w.executed.number()) }},
	{"goroutine exit", 3, func(w *walk) { w.call("/exit", w.executed.number()) }},
	{"goroutine exit in a push", 1, func(w *walk) {
		if s, ok := w.some(); ok {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			s.Push("/exit", 1, erpc.WithContext(ctx))
		}
	}},
	{"batch", 4, func(w *walk) {
		s, ok := w.some()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		b := erpc.NewBatch(s)
		entries := make([]*erpc.BatchEntry, 1+w.rnd.IntN(20))
		results := make([]int, len(entries))
		for i := range entries {
			if w.rnd.IntN(3) == 0 {
				entries[i] = b.Push("/push", []byte{1})
				continue
			}
			entries[i] = b.Call([]string{"/count", "/forward", "/exit"}[w.rnd.IntN(16)/14], w.executed.number(), &results[i])
		}
		b.Do(ctx)
		for _, e := range entries {
			w.wantKnown(e.Status())
		}
	}},
	{"stream", 3, func(w *walk) {
		s, ok := w.some()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		stream, err := erpc.OpenStream[int, int](ctx, s, "/echo")
		if err != nil {
			return
		}
		for n := range 1 + w.rnd.IntN(10) {
			if stream.Send(&n) != nil {
				break
			}
			got, err := stream.Recv()
			if err != nil {
				break
			}
			if !w.faults && *got != n {
				w.t.Errorf("a stream returned %d for %d", *got, n)
			}
		}
		if w.rnd.IntN(2) == 0 {
			_ = stream.CloseSend() // it may have ended
		}
		_ = stream.Close() // the same
	}},
	{"flush", 2, func(w *walk) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if s, ok := w.some(); ok {
			_ = s.Flush(ctx) // it may have ended
		}
	}},
	{"call nobody", 2, func(w *walk) { w.call("/nobody", 1) }},
	{"cancel", 6, func(w *walk) {
		if cancel, ok := pick(w.rnd, w.cancels); ok {
			cancel()
		}
	}},
	{"push", 10, func(w *walk) {
		if s, ok := w.some(); ok {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			s.Push("/push", make([]byte, w.rnd.IntN(100<<10)), erpc.WithContext(ctx))
		}
	}},
	{"broadcast", 2, func(w *walk) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		w.server.Broadcast("/push", make([]byte, w.rnd.IntN(10<<10)), erpc.WithContext(ctx))
	}},
	{"rename", 3, func(w *walk) {
		if s, ok := w.some(); ok {
			s.SetID(fmt.Sprint("name ", w.rnd.IntN(3)))
		}
	}},
	{"close", 2, func(w *walk) {
		if s, ok := w.some(); ok {
			_ = s.Close() // it may be closed, or cut
		}
	}},
	{"reset", 3, func(w *walk) {
		if conn := w.net.some(w.rnd); conn != nil {
			if c, ok := conn.(*net.TCPConn); ok {
				_ = c.SetLinger(0) // it may be closed
			}
			_ = conn.Close() // it may be closed
		}
	}},
	{"half close", 1, func(w *walk) {
		if conn, ok := w.net.some(w.rnd).(*net.TCPConn); ok {
			_ = conn.CloseWrite() // it may be closed
		}
	}},
	{"garbage", 1, func(w *walk) {
		if conn := w.net.some(w.rnd); conn != nil {
			if _, ok := conn.(*net.TCPConn); !ok { // without a reader
				_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
				defer func() { _ = conn.SetWriteDeadline(time.Time{}) }()
			}
			_, _ = conn.Write([]byte{0, 0, 0, 9, 1, 2, 3, 4, 5}) // it may be closed
		}
	}},
	{"restart", 1, func(w *walk) {
		_ = w.server.Close() // what it says is another test's
		w.start()
	}},
	{"shut down and restart", 1, func(w *walk) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_ = w.server.Shutdown(ctx) // it may be cut
		w.start()
	}},
	{"wait", 5, func(w *walk) { time.Sleep(time.Duration(w.rnd.IntN(5)) * time.Millisecond) }},
}

// call starts a call that ends within 50 ms with any status.
func (w *walk) call(method string, arg any) {
	s, ok := w.some()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	w.cancels = append(w.cancels, cancel)
	w.calls = append(w.calls, s.AsyncCall(method, arg, new(int), w.ended, erpc.WithContext(ctx)))
}

// step takes one step and checks the invariants after it.
func (w *walk) step() {
	total := 0
	for _, op := range ops {
		total += op.odds
	}
	n := w.rnd.IntN(total)
	for _, op := range ops {
		if n -= op.odds; n >= 0 {
			continue
		}
		w.trace = append(w.trace[max(0, len(w.trace)-1000):], op.name)
		took := kit.Within(w.t, kit.Bound, op.name, func() { op.do(w) })
		if took > 10*time.Second { // the longest is a second, of Shutdown; a write timeout is 30
			w.t.Fatalf("%s took %v", op.name, took)
		}
		break
	}
	for _, p := range append([]erpc.Peer{w.server}, w.clients...) {
		p.RangeSession(func(s erpc.Session) bool {
			id := s.ID()
			if got, ok := p.GetSession(id); ok && got != s && s.ID() == id && s.Health() && got.ID() == id {
				select { // the session that lost its id is ending
				case <-s.CloseNotify():
				case <-time.After(kit.Bound):
					w.t.Fatalf("two sessions with id %q", id)
				}
			}
			return true
		})
	}
}

// settle waits until every call has ended, and checks the invariants after that.
func (w *walk) settle() {
	for range w.calls {
		w.wantKnown(kit.AwaitIn(w.t, 2*kit.Bound, "end of a call", w.ended).Status())
	}
	for _, cmd := range w.calls {
		select {
		case <-cmd.Done():
		default:
			w.t.Error("a call was reported and has not ended")
		}
	}
	if n := len(w.ended); n > 0 {
		w.t.Errorf("%d calls ended twice", n)
	}
	for _, cancel := range w.cancels {
		cancel()
	}
	w.calls, w.cancels = nil, nil
	open := w.sessions[:0]
	for _, s := range w.sessions {
		kit.Eventually(w.t, kit.Bound, "end of the calls that handlers made", func() bool { return s.Stats().Pending == 0 })
		select {
		case <-s.CloseNotify():
			if p := s.Peer(); s.Health() {
				w.t.Errorf("session %s of %v has ended and is healthy", s.ID(), p)
			} else if got, ok := p.GetSession(s.ID()); ok && got == s {
				w.t.Errorf("session %s has ended and is in the table", s.ID())
			}
		default:
			open = append(open, s)
		}
	}
	w.sessions = open
	kit.Eventually(w.t, kit.Bound, "balance of the tables", func() bool {
		healthy := 0
		for _, s := range w.sessions {
			if s.Health() {
				healthy++
			}
		}
		inTables := 0
		for _, c := range w.clients {
			inTables += c.CountSession()
		}
		return healthy == inTables
	})
	for _, p := range append([]erpc.Peer{w.server}, w.clients...) {
		kit.Eventually(w.t, kit.Bound, "end of the handlers", func() bool { return p.Handlers() == 0 })
	}
	if twice := w.executed.twice(); len(twice) > 0 && !w.faults { // a corrupted number may match another call
		w.t.Errorf("calls %v were executed more than once", twice)
	}
}

// wantKnown fails the test unless st is an expected end of a call.
func (w *walk) wantKnown(st *erpc.Status) {
	switch code := st.Code(); code {
	case erpc.CodeOK, erpc.CodeConnClosed, erpc.CodeHandleTimeout, erpc.CodeCanceled, erpc.CodeExhausted,
		erpc.CodeShuttingDown, erpc.CodeNotFound, erpc.CodeInternalServerError: // the last is for a goroutine exit
	default:
		if !w.faults {
			w.t.Errorf("a call ended with %v", st)
		}
	}
}

// TestRandomWalk runs random operations, legal or not, on a few sessions from both
// ends, and keeps a ledger: over TCP, and over faulty connections. ERPC_SEED
// repeats a walk, as far as scheduling allows; ERPC_WALK, such as 10m, sets the
// duration of each.
func TestRandomWalk(t *testing.T) {
	for _, seed := range kit.Seeds(t, kit.Times(4, 200)) {
		for name, over := range map[string]*recording{
			"tcp":    {Transport: socket.Stream{}, network: "tcp"},
			"faults": {Transport: faulty(seed), network: memory.Network},
		} {
			t.Run(fmt.Sprint(name, " seed ", seed), func(t *testing.T) { randomWalk(t, seed, over, name == "faults") })
		}
	}
}

func randomWalk(t *testing.T, seed uint64, over *recording, faults bool) {
	kit.NoLeaks(t)
	w := &walk{
		t: t, rnd: rand.New(rand.NewPCG(seed, 0)), addr: kit.TCP.Place(t), net: over, faults: faults, ended: make(chan erpc.CallCmd, 1000),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d, steps %q", seed, w.trace)
		}
	})
	w.start()
	for _, redials := range []int32{0, -1} {
		cfg := w.config()
		cfg.RedialTimes, cfg.RedialInterval, cfg.RedialMaxInterval = redials, time.Millisecond, 10*time.Millisecond
		c := kit.TCP.Peer(t, cfg)
		w.routes(c)
		w.clients = append(w.clients, c)
	}
	var long time.Duration
	if s := os.Getenv("ERPC_WALK"); s != "" {
		var err error
		if long, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	for round, begin := 0, time.Now(); round < 10 || time.Since(begin) < long; round++ {
		for range 60 {
			w.step()
		}
		w.settle()
		w.net.forget()
	}
	for _, c := range w.clients {
		kit.Within(t, kit.Prompt, "Close", func() { _ = c.Close() }) // what was cut says so
	}
	for _, s := range w.sessions {
		kit.AwaitIn(t, kit.Prompt, "end of a session", s.CloseNotify())
		if err := s.(interface{ Err() error }).Err(); err != nil && !errors.Is(err, net.ErrClosed) && s.Health() {
			t.Errorf("session %s ended with %v and is healthy", s.ID(), err)
		}
	}
	kit.Eventually(t, kit.Bound, "end of the server's sessions", func() bool { return w.server.CountSession() == 0 })
}
