//go:build linux

package attack

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// limits returns attacks on limits that might be enforced for only one transport
// or protocol.
func limits() []attack {
	modest := cost{memory: 48 << 20, cpu: 5 * time.Second, log: oneLineASecond}
	many := modest
	many.memory = sized[int64](48<<20, 96<<20) // net/http keeps 25 KiB for each of 2,000
	all := []attack{
		{class: "limits", name: "MaxHandlers and HTTP clients", door: "http, 3 handlers", most: modest, run: manyAtWork},
		{class: "limits", name: "limit.Handlers and HTTP clients", door: "http, limit.Handlers(3)", most: modest, run: manyAtWork},
		{class: "limits", name: "MaxSessions and WebSocket", door: "websocket, 10 sessions", most: modest, run: func(s *stranger) {
			for range sized(60, 500) {
				s.upgrade()
			}
			if _, _, n := s.child.numbers(s.T); n > 10 {
				s.breaks("%d sessions, with 10 allowed", n)
			}
		}},
		{class: "limits", name: "read limit and WebSocket", door: "websocket, read limit 64 KiB", most: cost{8 << 20, time.Second, 4 << 10}, run: func(s *stranger) {
			conn := s.upgrade()
			const n = 1 << 20
			head := []byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, n >> 16, 0, 0, 0, 0, 0, 0}                  // binary, 1 MiB, a mask of zeros
			_, _ = conn.Write(append(head, s.raw(erpc.TypePush, "/echo", 'p', make([]byte, n-100))...)) // the victim ends it
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))                                   // how long the victim may take
			drain(conn)
			if _, _, left := s.child.numbers(s.T); left > 0 {
				s.breaks("a message of 1 MiB did not end the session")
			}
		}},
		{class: "limits", name: "idle HTTP connections", door: "http, idle 1 s", most: many, run: idleConnections},
	}
	if full { // they end after 10 s
		all = append(all, attack{class: "limits", name: "idle HTTP connections of a WebSocket server", door: "websocket, idle 1 s", most: many, run: idleConnections})
	}
	return all
}

// manyAtWork calls a slow handler over many HTTP connections.
func manyAtWork(s *stranger) {
	for range sized(20, 60) {
		conn := s.dial()
		if _, err := io.WriteString(conn, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"); err != nil {
			s.Fatal(err)
		}
	}
	kit.Eventually(s, patience, "3 handlers at work", func() bool { _, n, _ := s.child.numbers(s.T); return n >= 3 })
	time.Sleep(300 * time.Millisecond) // meanwhile no other handler may start
	if _, n, _ := s.child.numbers(s.T); n > 3 {
		s.breaks("%d handlers at work, with 3 allowed", n)
	}
}

// upgrade opens a WebSocket connection.
func (s *stranger) upgrade() net.Conn {
	conn := s.dial()
	_, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", s.child.addr)
	if err == nil {
		one := make([]byte, 1)
		_, _ = conn.Read(one) // an answer, or the end of a connection that is one too many
	}
	return conn
}

// idleConnections sends one request over each of many connections and then
// nothing; all of them must be closed.
func idleConnections(s *stranger) {
	var conns []net.Conn
	for range sized(100, 2000) {
		conn := s.dial()
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			s.Fatal(err)
		}
		conns = append(conns, conn)
	}
	var ended atomic.Int64
	var wg sync.WaitGroup
	for _, conn := range conns {
		wg.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(patience)) // the read reports it
			if _, err := io.Copy(io.Discard, conn); err == nil || strings.Contains(err.Error(), "reset") {
				ended.Add(1)
			}
		})
	}
	wg.Wait()
	if n := ended.Load(); n < int64(len(conns)) {
		s.breaks("%d of %d idle connections were ended", n, len(conns))
	}
}

// TestConnectionsCostWhatThePageSays: N connections make a peer hold at most the
// memory computed in docs/limits.md, whether they send large calls to slow handlers,
// do not read replies, or announce messages that never arrive.
func TestConnectionsCostWhatThePageSays(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("the race detector takes more memory than the attacks")
	}
	const n = 8
	cfg := smallLimits()
	each := kit.ConnectionCost(cfg, false)
	// Double it for garbage; running handlers hold a reply each.
	most := 2*n*each + 8<<20
	large := make([]byte, 512<<10)
	for name, frame := range map[string]func(s *stranger) []byte{
		"large calls to a slow handler": func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/slow", 'p', large) },
		"small calls to a slow handler": func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/slow", 'p', large[:10]) },
		"calls that swell, of a slow handler": func(s *stranger) []byte {
			return s.raw(erpc.TypeCall, "/slow/doc", 'j', fill(32<<10, `{"rows":[`, "{},", "{}]}"))
		},
		"unread large replies": func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/echo", 'p', large) },
		"unread small replies": func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/echo", 'p', large[:10]) },
		"half a message": func(s *stranger) []byte {
			return s.raw(erpc.TypeCall, "/echo", 'p', make([]byte, cfg.ReadLimit-100))[:cfg.ReadLimit/2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stranger{T: t, child: start(t, "small limits", "GOMEMLIMIT=off")}
			f := frame(s)
			var wg sync.WaitGroup
			for range n {
				conn := s.dial()
				_ = conn.SetWriteDeadline(time.Now().Add(sized(time.Second, 5*time.Second))) // bounds the attack
				wg.Go(func() {
					for {
						if _, err := conn.Write(f); err != nil || strings.HasPrefix(name, "half") {
							return
						}
					}
				})
			}
			wg.Wait()
			s.servesOthers()
			took := s.child.end(t)
			t.Logf("%d bytes sent: %.1f MiB of the %.1f that the page computes", s.sent.Load(), float64(took.memory)/(1<<20), float64(n*each)/(1<<20))
			if took.memory > most {
				t.Errorf("memory grew by %.1f MiB, more than %.1f", float64(took.memory)/(1<<20), float64(most)/(1<<20))
			}
		})
	}
}
