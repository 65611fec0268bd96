package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket"
)

type options struct {
	length, restart, pause time.Duration
	sessions, peers, slow  int
	seed                   uint64
	svg                    string
}

// A run is one soak.
type run struct {
	options
	l     *ledger
	addr  string
	quiet *slog.Logger
	ids   atomic.Uint64

	mu    sync.Mutex // guards the following
	conns map[net.Conn]struct{}
	srv   erpc.Peer
}

func soak(o options) (report string, err error) {
	goroutines, memory := settled()
	r := &run{options: o, l: newLedger(), quiet: slog.New(slog.DiscardHandler), conns: map[net.Conn]struct{}{}}
	if err := r.work(); err != nil {
		return r.l.String(), err
	}
	errs := []error{r.l.check()}
	report = r.l.String()
	if o.svg != "" {
		errs = append(errs, os.WriteFile(o.svg, []byte(r.l.svg()), 0o644))
	}
	r.l = newLedger() // drop the ledger, whose memory is not a leak
	g, m := settled()
	report += fmt.Sprintf("goroutines %d before, %d after\nheap       %d KiB before, %d KiB after\n", goroutines, g, memory>>10, m>>10)
	if g > goroutines+2 {
		errs = append(errs, fmt.Errorf("%d goroutines are left", g-goroutines))
	}
	if m > memory+(8<<20) {
		errs = append(errs, fmt.Errorf("%d KiB of memory are left", (m-memory)>>10))
	}
	return report, errors.Join(errs...)
}

// settled returns goroutines and live heap once both have stopped falling.
func settled() (goroutines int, heap uint64) {
	var m runtime.MemStats
	for range 50 {
		runtime.GC()
		runtime.ReadMemStats(&m)
		g := runtime.NumGoroutine()
		if g == goroutines && m.HeapAlloc >= heap-heap/50 {
			break
		}
		goroutines, heap = g, m.HeapAlloc
		time.Sleep(100 * time.Millisecond) // parked workers and timers end after a while
	}
	return goroutines, m.HeapAlloc
}

// work runs the load, from the first dial to the last close.
func (r *run) work() error {
	if err := r.serveAnywhere(); err != nil {
		return err
	}
	clients, sessions, err := r.dial()
	ctx, cancel := context.WithTimeout(context.Background(), r.length) // dialing does not count towards the length of the load
	defer cancel()
	var wg sync.WaitGroup
	if err == nil {
		for i, s := range sessions {
			rng := rand.New(rand.NewPCG(r.seed, uint64(i)))
			wg.Go(func() { r.load(ctx, s, rng) })
		}
		wg.Go(func() { r.broadcasts(ctx) })
		wg.Go(func() { r.faults(ctx) })
		wg.Go(func() {
			if e := r.restarts(ctx); e != nil {
				err = errors.Join(err, e)
				cancel() // clients no longer redial
			}
		})
		slow := r.silent()
		<-ctx.Done()
		wg.Wait()
		for _, c := range slow {
			_ = c.Close() // it was not used
		}
	}
	cancel()
	wg.Wait()
	for _, p := range clients {
		err = errors.Join(err, p.Close())
	}
	return errors.Join(err, r.srv.Close())
}

// serveAnywhere starts the first server, on a port outside of the range for
// outgoing connections: otherwise any program's connection could take the port
// between two servers.
func (r *run) serveAnywhere() error {
	const lowest, ports = 20_000, 10_000 // outgoing ports begin at 32768 on Linux, elsewhere at 49152
	var err error
	for i := range 10 {
		port := lowest + (r.seed+uint64(i)*997)%ports
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		err = r.serve(addr)
		if err == nil {
			r.addr = addr
			return nil
		}
	}
	return err
}

// serve starts a server on addr.
func (r *run) serve(addr string) error {
	srv := erpc.NewPeer(erpc.PeerConfig{
		ListenAddress: addr, Logger: r.quiet, QueuePolicy: socket.DropNew, QueueLimit: 64 << 10,
	})
	l := r.l
	erpc.HandleCall(srv, "/call", func(_ context.Context, id *uint64) (*uint64, error) {
		l.ran(*id)
		return id, nil
	})
	erpc.HandlePush(srv, "/push", func(context.Context, *uint64) error { l.received.Add(1); return nil })
	var lis net.Listener
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		lis, err = srv.Listen()
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.srv = srv
	r.mu.Unlock()
	go func() {
		if err := srv.Serve(lis); !errors.Is(err, erpc.ErrClosed) {
			fmt.Fprintln(os.Stderr, "soak: serve:", err)
		}
	}()
	return nil
}

func (r *run) server() erpc.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.srv
}

// A tap is the standard transport. It remembers the connections, so that they
// can be cut.
type tap struct {
	socket.Stream
	r *run
}

func (t tap) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	conn, err := t.Stream.Dial(ctx, network, addr, o)
	if err == nil {
		t.r.mu.Lock()
		t.r.conns[conn] = struct{}{}
		t.r.mu.Unlock()
	}
	return conn, err
}

// dial opens the sessions.
func (r *run) dial() (clients []erpc.Peer, sessions []erpc.Session, err error) {
	for range r.peers {
		p := erpc.NewPeer(erpc.PeerConfig{Logger: r.quiet, RedialTimes: -1, RedialInterval: 10 * time.Millisecond,
			RedialMaxInterval: 200 * time.Millisecond, Transports: []socket.Transport{tap{r: r}}})
		erpc.HandlePush(p, "/news", func(context.Context, *uint64) error { r.l.broadcast.Add(1); return nil })
		clients = append(clients, p)
	}
	for i := range r.sessions {
		s, st := clients[i%len(clients)].Dial(r.addr)
		if !st.OK() {
			return clients, nil, st.Err()
		}
		sessions = append(sessions, s)
	}
	return clients, sessions, nil
}

// load runs the load of one session until the end.
func (r *run) load(ctx context.Context, s erpc.Session, rng *rand.Rand) {
	for ctx.Err() == nil {
		switch n := rng.IntN(10); {
		case n < 6:
			r.call(s, rng)
		case n < 8:
			r.async(s, 1+rng.IntN(8))
		default:
			r.l.pushed.Add(1) // count it first: it may arrive before Push returns
			if st := s.Push("/push", r.ids.Add(1), erpc.WithContext(ctx)); !st.OK() {
				r.l.pushFailed.Add(1)
			}
		}
		select {
		case <-time.After(time.Duration(rng.Int64N(int64(2*r.pause) + 1))):
		case <-ctx.Done():
		}
	}
}

const longest = 2 * time.Second // longest time of a call

func (r *run) call(s erpc.Session, rng *rand.Rand) {
	limit := longest
	if rng.IntN(20) == 0 {
		limit = time.Duration(rng.IntN(2000)) * time.Microsecond // some calls end in flight
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	id := r.ids.Add(1)
	var reply uint64
	r.l.started.Add(1)
	t0 := time.Now()
	st := s.Call("/call", id, &reply, erpc.WithContext(ctx)).Status()
	r.l.end(id, st.Code(), reply, time.Since(t0))
}

func (r *run) async(s erpc.Session, n int) {
	type call struct {
		id, reply uint64
		begin     time.Time
	}
	done := make(chan erpc.CallCmd, 2*n) // room to detect a call that ends twice
	calls := map[erpc.CallCmd]*call{}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for range n {
		c := &call{id: r.ids.Add(1), begin: time.Now()}
		r.l.started.Add(1)
		calls[s.AsyncCall("/call", c.id, &c.reply, done, erpc.WithContext(ctx))] = c
	}
	for range n {
		cmd := <-done
		c := calls[cmd]
		r.l.end(c.id, cmd.Status().Code(), c.reply, time.Since(c.begin))
	}
}

// broadcasts sends a broadcast ten times per second.
func (r *run) broadcasts(ctx context.Context) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for n := uint64(0); ; n++ {
		select {
		case <-t.C:
			r.server().Broadcast("/news", n)
		case <-ctx.Done():
			return
		}
	}
}

// faults cuts a random connection from time to time, some of them with a reset.
func (r *run) faults(ctx context.Context) {
	rng := rand.New(rand.NewPCG(r.seed, 1<<40))
	for {
		select {
		case <-time.After(time.Duration(rng.IntN(100)) * time.Millisecond):
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		for conn := range r.conns { // in random order
			delete(r.conns, conn)
			if tcp, ok := conn.(*net.TCPConn); ok && rng.IntN(2) == 0 {
				_ = tcp.SetLinger(0) // fails if the connection is already closed
			}
			_ = conn.Close() // likewise
			r.l.cuts.Add(1)
			break
		}
		r.mu.Unlock()
	}
}

// restarts ends the server and starts another one on the same address, half of
// the times with Shutdown and half with Close.
func (r *run) restarts(ctx context.Context) error {
	for n := 0; ; n++ {
		select {
		case <-time.After(r.restart):
		case <-ctx.Done():
			return nil
		}
		var err error
		if n%2 == 0 {
			err = r.server().Close()
		} else {
			limit, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			err = r.server().Shutdown(limit)
			cancel()
		}
		if err != nil {
			return fmt.Errorf("restart: %w", err)
		}
		r.l.restarts.Add(1)
		if err := r.serve(r.addr); err != nil {
			return fmt.Errorf("restart: %w", err)
		}
	}
}

// silent opens connections that never read.
func (r *run) silent() (conns []net.Conn) {
	for range r.slow {
		if c, err := net.Dial("tcp", r.addr); err == nil {
			conns = append(conns, c)
		}
	}
	return conns
}
