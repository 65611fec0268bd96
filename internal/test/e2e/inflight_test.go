package e2e

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

// A client that calls much and reads late gets all replies: the other side stops reading
// calls while earlier replies wait, and refuses none.
func TestInflightWaitsForASlowReader(t *testing.T) {
	kit.NoLeaks(t)
	const calls, size, limit, queue = 600, 32 << 10, 1 << 20, 128 << 10
	server := kit.TCP.Peer(t, erpc.PeerConfig{InflightLimit: limit, QueueLimit: queue, SocketWriteBuffer: 64 << 10})
	var begun atomic.Int64
	erpc.HandleCall(server, "/bytes", func(_ context.Context, n *int) (*[]byte, error) {
		begun.Add(1)
		b := make([]byte, *n)
		return &b, nil
	})
	w := kit.TCP.Connect(t, kit.Start(t, server))
	if err := w.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil { // otherwise the system buffers most of them
		t.Fatal(err)
	}
	var all []byte
	for seq := range int32(calls) {
		all = append(all, kit.Frame(t, erpc.TypeCall, seq+1, "/bytes", []byte("32768"))...)
	}
	if _, err := w.Write(all); err != nil {
		t.Fatal(err)
	}
	// How much the system buffers is unknown, but it is less than 19 MiB.
	last, same := int64(-1), 0
	kit.Eventually(t, kit.Bound, "standstill", func() bool {
		if n := begun.Load(); n != last || n == 0 {
			last, same = n, 0
		}
		same++
		return same > 100
	})
	if last == calls {
		t.Error("all calls were executed although the client does not read the replies")
	}
	answered := map[int32]bool{}
	for range calls {
		m, err := w.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if !m.StatusOK() || len(m.Raw()) != size {
			t.Fatalf("reply %d: %v, %d bytes", m.Seq(), m.Status(), len(m.Raw()))
		}
		answered[m.Seq()] = true
	}
	if len(answered) != calls {
		t.Errorf("%d calls were answered, want %d", len(answered), calls)
	}
	kit.Eventually(t, kit.Bound, "end of the handlers", func() bool { return server.Handlers() == 0 })
}

// Two sides that are both over their limit, and so do not read each other's
// replies, do not wait for each other.
func TestInflightOnBothSides(t *testing.T) {
	for name, size := range map[string]int{"small frames": 40 << 10, "pieces": 1 << 20} {
		calls := 100 // per side
		if size > 1<<19 {
			calls = 24
		}
		t.Run(name, func(t *testing.T) {
			kit.NoLeaks(t)
			cfg := erpc.PeerConfig{InflightLimit: 2 * size, QueueLimit: 64 << 10, SocketWriteBuffer: 32 << 10, SocketReadBuffer: 32 << 10, WriteTimeout: -1}
			server, client := kit.TCP.Peer(t, cfg), kit.TCP.Peer(t, cfg)
			for _, p := range []erpc.Peer{server, client} {
				erpc.HandleCall(p, "/add", kit.Add)
				erpc.HandleCall(p, "/bytes", func(context.Context, *[]byte) (*[]byte, error) {
					b := make([]byte, size)
					return &b, nil
				})
			}
			there := kit.Open(t, client, kit.Start(t, server))
			kit.Eventually(t, kit.Bound, "session of the server", func() bool { return server.CountSession() == 1 })
			sessions := []erpc.Session{there}
			server.RangeSession(func(s erpc.Session) bool { sessions = append(sessions, s); return true })
			var wg sync.WaitGroup
			var good, refused atomic.Int64
			for _, s := range sessions {
				for range calls {
					wg.Go(func() {
						var b []byte
						switch st := s.Call("/bytes", make([]byte, 16<<10), &b).Status(); {
						case st.OK() && len(b) == size:
							good.Add(1)
						case st.Code() == erpc.CodeExhausted:
							refused.Add(1)
						default:
							t.Errorf("call: %v, %d bytes", st, len(b))
						}
					})
				}
			}
			kit.Within(t, kit.Bound, "end of the calls", wg.Wait)
			t.Logf("%d calls succeeded, %d were refused", good.Load(), refused.Load())
			if good.Load() == 0 {
				t.Error("no call succeeded")
			}
			for _, s := range sessions {
				kit.Answers(t, s)
			}
		})
	}
}

// Slow handlers hold up the messages behind them for a while; then those are
// refused, so that the connection does not seem dead. A refused call was not
// executed, and when there is room again calls work as before.
func TestInflightRefusesBehindSlowHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{memory.New()}, InflightLimit: 100}
		srv, cli := kit.Peer(t, cfg), kit.Peer(t, cfg)
		open := make(chan struct{})
		var ran atomic.Int64
		erpc.HandleCall(srv, "/slow", func(_ context.Context, b *[]byte) (*int, error) {
			ran.Add(1)
			<-open
			n := len(*b)
			return &n, nil
		})
		lis, err := srv.Listen()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(lis) }()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		large := bytes.Repeat([]byte("x"), 1000)
		first := sess.AsyncCall("/slow", large, new(int), nil)
		synctest.Wait()
		begin := time.Now()
		for i := range 3 {
			st := sess.Call("/slow", large, new(int)).Status()
			kit.WantCode(t, "a call above the limit", st, erpc.CodeExhausted)
			took := time.Since(begin)
			if took < time.Second || took > 5*time.Second {
				t.Errorf("call %d was refused after %v", i, took)
			}
		}
		if took := time.Since(begin); took > 5*time.Second { // only the first has waited
			t.Errorf("the calls were refused after %v", took)
		}
		close(open)
		if st := first.Status(); !st.OK() {
			t.Errorf("the first call: %v", st)
		}
		synctest.Wait()
		for range 3 {
			if st := sess.Call("/slow", large, new(int)).Status(); !st.OK() {
				t.Errorf("a call when there is room again: %v", st)
			}
		}
		if n := ran.Load(); n != 4 {
			t.Errorf("%d calls were executed, want 4", n)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		kit.Await(t, "Serve to return", served)
		_ = cli.Close()         // newQuietPeer checks the error
		time.Sleep(time.Second) // in the bubble: lets parked goroutines end
	})
}

// Close ends a connection whose reader waits for room.
func TestInflightClose(t *testing.T) {
	kit.NoLeaks(t)
	server := kit.TCP.Peer(t, erpc.PeerConfig{InflightLimit: 100})
	begun := make(chan struct{}, 10)
	erpc.HandleCall(server, "/slow", func(ctx context.Context, _ *[]byte) (*int, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s := kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
	var calls []erpc.CallCmd
	for range 3 {
		calls = append(calls, s.AsyncCall("/slow", make([]byte, 1000), new(int), nil))
	}
	kit.AwaitIn(t, kit.Bound, "the handler", begun)
	kit.Within(t, kit.Prompt, "Close", func() { _ = server.Close() }) // what was cut says so
	for _, cmd := range calls {
		kit.AwaitIn(t, kit.Prompt, "end of a call", cmd.Done())
		kit.WantCode(t, "a call of a closed peer", cmd.Status(), erpc.CodeConnClosed)
	}
}
