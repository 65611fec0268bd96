package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/xfer/s2"
	"github.com/goerpc/erpc/xfer/zstd"
)

// What an attack may cost the process, including the attackers and the honest
// client in it. docs/reliability.md names these numbers.
const (
	// attackPeak is how much larger the heap may be during the attack, including
	// garbage. Six bombs at once may each inflate to the read limit of 64 MiB.
	attackPeak = 1 << 30
	// attackMade is how much may be allocated during the attack in total. The
	// announced lengths add up to more than 700 GiB.
	attackMade = 3 << 30
	// attackRest is how much larger the heap may be afterwards.
	attackRest = 16 << 20
)

// An attack is run by hostile connections against the peer at addr until stop is
// closed or they are done.
type attack struct {
	name string
	run  func(t *testing.T, addr string, stop <-chan struct{})
}

var registerBombs = sync.OnceFunc(func() {
	registerZip()
	zstd.Reg('Y', "cases-zstd", 3)
	s2.Reg('X', "cases-s2", 1)
})

// TestDefaultPeerUnderAttack attacks a peer with the default configuration with
// everything at once, while an honest client calls it. No call of the client may
// fail, and nothing may be left behind.
func TestDefaultPeerUnderAttack(t *testing.T) {
	kit.NoLeaks(t)
	registerBombs()
	var log kit.Log
	log.Min = slog.LevelWarn
	server := kit.TCP.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)})
	erpc.HandleCall(server, "/add", kit.Add)
	erpc.HandleCall(server, "/echo", kit.Same)
	erpc.HandlePush(server, "/add", func(context.Context, *kit.Sum) error { return nil })
	addr := kit.Start(t, server)
	honest := kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), addr)
	kit.Answers(t, honest)
	attacks := attacks(t)

	before := heap()
	stop := make(chan struct{})
	var attackers, others sync.WaitGroup
	var peak atomic.Uint64
	others.Go(func() { watchHeap(&peak, stop) })
	var calls atomic.Int64
	var slowest atomic.Int64 // nanoseconds
	others.Go(func() {
		for !isOver(stop) {
			start := time.Now()
			kit.Answers(t, honest)
			calls.Add(1)
			slowest.Store(max(slowest.Load(), int64(time.Since(start))))
		}
	})
	for _, a := range attacks {
		attackers.Go(func() {
			start := time.Now()
			a.run(t, addr, stop)
			t.Logf("%s: %v", a.name, time.Since(start).Round(time.Millisecond))
		})
	}
	const length = 3 * time.Second
	time.Sleep(length) // the duration of the attack, not a wait
	made := heap().TotalAlloc - before.TotalAlloc
	close(stop)
	kit.Within(t, kit.Bound, "end of the attacks", attackers.Wait)
	kit.Within(t, kit.Bound, "end of the honest client", others.Wait)

	kit.Answers(t, honest)
	kit.Eventually(t, kit.Bound, "end of the hostile sessions", func() bool { return server.CountSession() == 1 })
	log.NoPanics(t)
	clear(attacks) // drop the data of the attacks
	runtime.GC()
	runtime.GC() // the second run empties the pools
	after := heap()
	rest := max(0, int64(after.HeapAlloc)-int64(before.HeapAlloc))
	grown := max(0, int64(peak.Load())-int64(before.HeapAlloc))
	t.Logf("%d honest calls, slowest %v; heap +%d MiB at most, +%d KiB afterwards; %d MiB allocated",
		calls.Load(), time.Duration(slowest.Load()).Round(time.Millisecond), grown>>20, rest>>10, made>>20)
	if calls.Load() < 1 { // all calls succeeded; how many depends on the machine
		t.Errorf("the honest client got only %d answers in %v", calls.Load(), length)
	}
	if grown > attackPeak {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if made > attackMade {
		t.Errorf("%d MiB were allocated", made>>20)
	}
	if rest > attackRest {
		t.Errorf("the heap is %d MiB larger than before", rest>>20)
	}
}

// TestUnreadRepliesAreBounded: connections that call and do not read make a peer
// hold little more than its InflightLimit each, however many calls they send and
// whichever of call and reply is large. Others are still served.
func TestUnreadRepliesAreBounded(t *testing.T) {
	const conns, limit = 8, 16 << 20
	for name, call := range map[string][]byte{
		"large calls and replies": kit.Frame(t, erpc.TypeCall, 1, "/echo", make([]byte, 32<<10), erpc.WithBodyCodec('p')),
		"large replies":           kit.Frame(t, erpc.TypeCall, 1, "/blob", []byte("1"), erpc.WithBodyCodec('p')),
		"large calls":             kit.Frame(t, erpc.TypeCall, 1, "/slow", make([]byte, 32<<10), erpc.WithBodyCodec('p')),
		"small calls and replies": kit.Frame(t, erpc.TypeCall, 1, "/echo", []byte("1"), erpc.WithBodyCodec('p')),
	} {
		t.Run(name, func(t *testing.T) {
			kit.NoLeaks(t)
			stop := make(chan struct{})
			server := kit.TCP.Peer(t, erpc.PeerConfig{InflightLimit: limit})
			erpc.HandleCall(server, "/add", kit.Add)
			erpc.HandleCall(server, "/echo", kit.Same)
			erpc.HandleCall(server, "/blob", func(context.Context, *[]byte) (*[]byte, error) {
				b := make([]byte, 256<<10)
				return &b, nil
			})
			erpc.HandleCall(server, "/slow", func(ctx context.Context, b *[]byte) (*[]byte, error) {
				select {
				case <-stop:
				case <-ctx.Done():
				}
				return b, ctx.Err()
			})
			addr := kit.Start(t, server)
			honest := kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), addr)
			kit.Answers(t, honest)
			runtime.GC()
			before := heap()
			var peak atomic.Uint64
			var wg sync.WaitGroup
			wg.Go(func() { watchHeap(&peak, stop) })
			wg.Go(func() { unread(conns, call)(t, addr, stop) })
			for end := time.Now().Add(time.Second); time.Now().Before(end); { // the duration of the attack
				kit.Answers(t, honest)
			}
			close(stop)
			kit.Within(t, kit.Bound, "end of the attack", wg.Wait)
			grown := int64(peak.Load()) - int64(before.HeapAlloc)
			t.Logf("heap +%d MiB", grown>>20)
			// Each may hold the limit, which counts neither allocations of running
			// handlers nor garbage.
			if most := int64(conns * 4 * limit); grown > most {
				t.Errorf("the heap grew by %d MiB, more than %d", grown>>20, most>>20)
			}
			kit.Eventually(t, kit.Bound, "end of the hostile sessions", func() bool { return server.CountSession() == 1 })
			kit.Eventually(t, kit.Bound, "end of their handlers", func() bool { return server.Handlers() == 0 })
		})
	}
}

func heap() runtime.MemStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// watchHeap records the largest heap size.
func watchHeap(peak *atomic.Uint64, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		peak.Store(max(peak.Load(), heap().HeapAlloc))
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func isOver(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// attacks returns all attacks of the catalogue for the raw protocol.
func attacks(t *testing.T) []attack {
	claims := func(length uint32) []byte {
		return append(binary.BigEndian.AppendUint32(nil, length), make([]byte, 56)...)
	}
	call := kit.Frame(t, erpc.TypeCall, 1, "/add", []byte(`{"A":1,"B":2}`))
	kinds := hostile(t)
	if n := 0; kit.RaceEnabled { // TestHostileBytes sends all of them
		maps.DeleteFunc(kinds, func(string, []byte) bool { n++; return n%3 > 0 })
	}
	all := []attack{
		{"lengths of 4 GiB", throng(100, true, claims(1<<32-1))},
		{"lengths of 1 GiB", throng(100, true, claims(1<<30))},
		{"lengths just below the limit, and no more", throng(200, false, claims(64<<20-1))},
		{"silence", throng(500, false, nil)},
		{"half a call", throng(100, false, call[:len(call)/2])},
		{"slow bytes", slowBytes(100, call)},
		{"unread replies", unread(2, kit.Frame(t, erpc.TypeCall, 1, "/echo", make([]byte, 32<<10), erpc.WithBodyCodec('p')))},
		{"bytes of all kinds", offerAll(kinds)},
		{"metadata and status", offerAll(oversize(t))},
	}
	bombs := map[string][]byte{}
	zeros := make([]byte, 65<<20)
	for name, filter := range map[string]byte{"gzip": zip, "zstd": 'Y', "s2": 'X'} {
		b := kit.Frame(t, erpc.TypeCall, 1, "/echo", zeros, erpc.WithXferPipe(filter))
		bombs[name+" 1"], bombs[name+" 2"] = b, b
	}
	return append(all, attack{"bombs", offerAll(bombs)})
}

// throng opens connections that send one message and then nothing, and stay open
// until the attack ends. If refused is true, it checks that the peer closes them.
func throng(n int, refused bool, says []byte) func(*testing.T, string, <-chan struct{}) {
	return func(t *testing.T, addr string, stop <-chan struct{}) {
		var conns []net.Conn
		for range n {
			conn, err := net.DialTimeout("tcp", addr, kit.Bound)
			if err != nil {
				t.Error(err)
				break
			}
			defer conn.Close()
			conns = append(conns, conn)
			if _, err := conn.Write(says); err != nil {
				t.Errorf("write: %v", err)
			}
		}
		<-stop
		for _, c := range conns {
			if !refused {
				break
			}
			_ = c.SetReadDeadline(time.Now().Add(kit.Bound)) // a broken one tells by itself
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Error("a claimed length above the limit leaves the connection open")
			}
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// slowBytes sends a byte every 20 ms on each of n connections.
func slowBytes(n int, says []byte) func(*testing.T, string, <-chan struct{}) {
	return func(t *testing.T, addr string, stop <-chan struct{}) {
		var wg sync.WaitGroup
		defer wg.Wait()
		for range n {
			wg.Go(func() {
				conn, err := net.DialTimeout("tcp", addr, kit.Bound)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				for i := 0; ; i++ {
					if _, err := conn.Write(says[i%len(says):][:1]); err != nil {
						t.Errorf("a slow client was cut off: %v", err)
						return
					}
					select {
					case <-time.After(20 * time.Millisecond):
					case <-stop:
						return
					}
				}
			})
		}
	}
}

// unread sends calls over n connections, as many as the peer accepts, without
// reading.
func unread(n int, call []byte) func(*testing.T, string, <-chan struct{}) {
	return func(t *testing.T, addr string, stop <-chan struct{}) {
		many := bytes.Repeat(call, max(1, (64<<10)/len(call)))
		var wg sync.WaitGroup
		defer wg.Wait()
		for range n {
			conn, err := net.DialTimeout("tcp", addr, kit.Bound)
			if err != nil {
				t.Error(err)
				return
			}
			done := make(chan struct{})
			wg.Go(func() {
				defer close(done)
				for {
					if _, err := conn.Write(many); err != nil {
						return // closed at the end of the attack
					}
				}
			})
			wg.Go(func() {
				select {
				case <-stop:
				case <-done:
				}
				_ = conn.Close() // ends the write
			})
		}
	}
}

// offerAll sends each of the inputs once, over its own connection.
func offerAll(all map[string][]byte) func(*testing.T, string, <-chan struct{}) {
	return func(t *testing.T, addr string, _ <-chan struct{}) {
		room := make(chan struct{}, 6) // bounds the number of connections at the same time
		var wg sync.WaitGroup
		defer wg.Wait()
		for name, b := range all { // all of them, even if the attack is over
			room <- struct{}{}
			wg.Go(func() {
				offer(t, kit.TCP, addr, name, b)
				<-room
			})
		}
	}
}

// oversize returns frames whose metadata or status is as long as possible, or
// announced as longer than the frame.
func oversize(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	long := strings.Repeat("x", 60_000)
	all["long metadata"] = kit.Frame(t, erpc.TypeCall, 1, "/add", []byte("1"), erpc.WithSetMeta("k", long))
	all["long status"] = kit.Frame(t, erpc.TypeReply, 1, "", nil, erpc.WithStatus(erpc.NewStatus(1, long, nil)))
	many := make([]erpc.MessageSetting, 0, 5000)
	for i := range cap(many) {
		many = append(many, erpc.WithSetMeta(fmt.Sprint(i), "v"))
	}
	all["much metadata"] = kit.Frame(t, erpc.TypeCall, 1, "/nobody", nil, many...)
	for name, b := range all {
		cut := append([]byte(nil), b[:40]...)
		binary.BigEndian.PutUint32(cut, uint32(len(cut)))
		all[name+", announced only"] = cut
	}
	return all
}
