package streams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// A walker is one end of a stream. It does random things and checks the other end:
// its messages arrive in order, none twice, and none is missing if that end
// succeeds.
type walker struct {
	rnd  *rand.Rand // used by the sending goroutine
	rest *rand.Rand // used by the receiving goroutine
	s    *erpc.Stream[[]byte, []byte]
	sent int
	got  int
}

// send sends up to n numbered messages of random sizes. It gives up some of them,
// which must not arrive.
func (w *walker) send(n int) error {
	for range n {
		m := make([]byte, 8+w.rnd.IntN(1<<w.rnd.IntN(17)))
		copy(m, fmt.Sprintf("%08d", w.sent))
		gaveUp, err := w.sendOne(m)
		switch {
		case err == nil:
			w.sent++
		case !gaveUp:
			return err
		}
	}
	return nil
}

// sendOne sends m, sometimes with little patience. gaveUp reports that its own context
// has ended, and perhaps not the stream.
func (w *walker) sendOne(m []byte) (gaveUp bool, err error) {
	if w.rnd.IntN(8) > 0 {
		return false, w.s.Send(&m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(w.rnd.IntN(1000))*time.Microsecond)
	defer cancel()
	err = w.s.SendContext(ctx, &m)
	return ctx.Err() != nil, err
}

// recv receives until the other side sends no more. It returns nil if that end was
// a success, and a wrongError for a violation.
func (w *walker) recv(ctx context.Context) error {
	for {
		m, err := w.s.RecvContext(ctx)
		if errors.Is(err, io.EOF) {
			trailer := w.s.Raw().(*session.Stream).Trailer().Peek("count")
			if want, _ := strconv.Atoi(string(trailer)); want != w.got {
				return wrongError(fmt.Sprintf("%d messages of %q arrived, and a good end", w.got, trailer))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(string((*m)[:8])); err != nil || n != w.got {
			return wrongError(fmt.Sprintf("message %q in place of %d", (*m)[:8], w.got))
		}
		w.got++
		if w.rest.IntN(50) == 0 {
			time.Sleep(time.Duration(w.rest.IntN(3)) * time.Millisecond) // the program's work
		}
	}
}

type wrongError string

func (e wrongError) Error() string { return string(e) }

// Streams are opened from both sides over connections that are slow, cut and
// redialed, and keep their promises whatever the programs do. Some seeds are always
// the same, the others are drawn; ERPC_SEED repeats one, as far as scheduling allows.
// ERPC_STREAM_WALK sets how long it runs for each seed.
func TestWalk(t *testing.T) {
	length := 500 * time.Millisecond
	if s := os.Getenv("ERPC_STREAM_WALK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		length = d
	}
	for _, seed := range kit.Seeds(t, kit.Times(2, 200), 0, 1, 2, 3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { walk(t, seed, length) })
	}
}

func walk(t *testing.T, seed uint64, length time.Duration) {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 3))
	draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(n) }
	source := func() *rand.Rand { return rand.New(rand.NewPCG(uint64(draw(1<<30)), seed)) }
	var opened, good, failed atomic.Int64

	// handle is the other end of every stream.
	handle := func(ctx context.Context, s *erpc.Stream[[]byte, []byte]) error {
		w := &walker{rnd: source(), rest: source(), s: s}
		received := make(chan error, 1)
		go func() { received <- w.recv(context.Background()) }()
		count := w.rnd.IntN(200)
		err := w.send(count)
		if err == nil && w.rnd.IntN(4) > 0 {
			err = <-received
			received <- err
		}
		if wrong := wrongError(""); errors.As(err, &wrong) {
			t.Error(wrong)
		}
		switch w.rnd.IntN(10) {
		case 0:
			return erpc.NewStatus(1001, "a failure").Err()
		case 1:
			panic("a failure")
		}
		erpc.CallCtxFrom(ctx).SetMeta("count", strconv.Itoa(w.sent))
		return err
	}
	// open is one opener.
	open := func(ctx context.Context, sess erpc.Session) {
		r := source()
		ctx, cancel := context.WithTimeout(ctx, time.Duration(1+r.IntN(2000))*time.Millisecond)
		defer cancel()
		s, err := erpc.OpenStream[[]byte, []byte](ctx, sess, "/walk")
		if err != nil {
			failed.Add(1)
			return
		}
		opened.Add(1)
		defer s.Close()
		w := &walker{rnd: r, rest: source(), s: s}
		received := make(chan error, 1)
		go func() { received <- w.recv(context.Background()) }()
		if err := w.send(r.IntN(200)); err == nil && r.IntN(5) > 0 {
			meta := new(erpc.Meta)
			meta.Set("count", strconv.Itoa(w.sent))
			_ = s.Raw().(*session.Stream).CloseSendMeta(meta) // what Recv says counts
		}
		if r.IntN(8) == 0 {
			_ = s.Close()
		}
		select {
		case err = <-received:
		case <-time.After(kit.Bound):
			t.Errorf("seed %d: a stream never ended", seed)
			return
		}
		wrong := wrongError("")
		switch {
		case err == nil:
			good.Add(1)
		case errors.As(err, &wrong):
			t.Errorf("seed %d: %s", seed, wrong)
		}
	}

	var calm atomic.Bool // new connections have no faults
	tr := memory.New()
	tr.Faults = func() (from, to memory.Fault) {
		fault := func() memory.Fault {
			f := memory.Fault{}
			if calm.Load() {
				return f
			}
			if draw(2) == 0 {
				f.Delay = time.Duration(draw(300)) * time.Microsecond
			}
			if draw(3) == 0 {
				f.CutAt = 1 + draw(4<<20)
			}
			return f
		}
		return fault(), fault()
	}
	cfg := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{tr}}
	if draw(2) == 0 {
		cfg.QueueLimit = 64 << 10 // of which streams have a quarter, so their senders wait for room
	}
	srv := kit.Peer(t, cfg)
	erpc.HandleStream(srv, "/walk", handle)
	erpc.HandleStream(srv, "/quiet", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		return s.Send(m)
	})
	cfg.RedialTimes, cfg.RedialInterval = -1, 2*time.Millisecond
	cli := kit.Peer(t, cfg)
	erpc.HandleStream(cli, "/walk", handle)
	sess := kit.Open(t, cli, kit.Start(t, srv))
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for ctx.Err() == nil {
				open(ctx, sess)
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				var back erpc.Session
				srv.RangeSession(func(s erpc.Session) bool { back = s; return false })
				if back != nil {
					open(ctx, back)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("seed %d: %d streams, %d ended well, %d were not opened", seed, opened.Load(), good.Load(), failed.Load())
	calm.Store(true)
	kit.Eventually(t, kit.Bound, "a stream ends well after all", func() bool { return quietStream(t, sess) })
}

// quietStream reports whether a stream whose programs keep the rules ends well.
func quietStream(t *testing.T, sess erpc.Session) bool {
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	s, err := erpc.OpenStream[[]byte, []byte](ctx, sess, "/quiet")
	if err != nil {
		return false
	}
	defer s.Close()
	m := []byte("text")
	if err := s.Send(&m); err != nil {
		return false
	}
	got, err := s.CloseAndRecv()
	return err == nil && bytes.Equal(*got, m)
}
