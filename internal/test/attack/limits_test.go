//go:build linux

package attack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/thriftproto"
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
		{class: "limits", name: "MaxSessionHandlers", door: "raw, 3 handlers of a session", most: modest, run: atWork(3, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/slow", 'p', nil) })},
		{class: "limits", name: "MaxSessionHandlers and an ordered handler", door: "raw, 3 handlers of a session", most: modest, run: atWork(1, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/ordered", 'p', nil) })},
		{class: "limits", name: "MaxSessionHandlers and answers in turn", door: "thrift, 3 handlers of a session", most: modest, run: atWork(1, func(s *stranger) []byte {
			return s.frame(thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper}), erpc.TypeCall, "/slow", 't', nil)
		})},
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
			drain(conn)
			kit.Eventually(s, patience, "the end of the session", func() bool { _, _, left := s.child.numbers(s.T); return left == 0 })
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

// atWork returns an attack that floods one connection with calls of a slow handler, of which
// allowed may be at work at the same time. Those that wait have no goroutine each.
func atWork(allowed int, frame func(*stranger) []byte) func(*stranger) {
	return func(s *stranger) {
		idle := s.child.goroutines(s.T)
		conn := s.dial()
		go drain(conn) // ends with the connection
		batch := bytes.Repeat(frame(s), 100)
		_ = conn.SetWriteDeadline(time.Now().Add(sized(time.Second, 5*time.Second))) // the victim may read no more
		for s.sent.Load() < sized[int64](256<<10, 4<<20) {
			if _, err := conn.Write(batch); err != nil {
				break
			}
		}
		kit.Eventually(s, patience, "handlers at work", func() bool { _, n, _ := s.child.numbers(s.T); return n >= allowed })
		time.Sleep(500 * time.Millisecond) // in which more must not begin
		if _, n, _ := s.child.numbers(s.T); n > allowed {
			s.breaks("%d handlers at work, with %d allowed", n, allowed)
		}
		if n := s.child.goroutines(s.T) - idle; n > 100 {
			s.breaks("%d goroutines more", n)
		}
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
// memory computed in docs/limits.md, whether they send large calls to slow handlers
// or many to an ordered one, do not read replies, or announce messages that never
// arrive.
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
	// A slow handler has a goroutine for each message in flight, which take 4 KiB each.
	slow := int(n * cfg.InflightLimit / (4 << 10) * 2)
	const oneAtATime = n * 16 // goroutines of a connection, with those of net/http
	post := func(body []byte) []byte {
		return fmt.Appendf(nil, "POST /ordered HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	thrift := func(s *stranger, body []byte) []byte {
		pf := thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper})
		return s.frame(pf, erpc.TypeCall, "/ordered", 't', body)
	}
	for name, c := range map[string]struct {
		door       string
		goroutines int
		frame      func(s *stranger) []byte
	}{
		"large calls to a slow handler": {"small limits", slow, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/slow", 'p', large) }},
		"small calls to a slow handler": {"small limits", slow, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/slow", 'p', large[:10]) }},
		"calls that swell, of a slow handler": {"small limits", slow, func(s *stranger) []byte {
			return s.raw(erpc.TypeCall, "/slow/doc", 'j', fill(32<<10, `{"rows":[`, "{},", "{}]}"))
		}},
		"unread large replies": {"small limits", slow, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/echo", 'p', large) }},
		"unread small replies": {"small limits", slow, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/echo", 'p', large[:10]) }},
		"half a message": {"small limits", slow, func(s *stranger) []byte {
			return s.raw(erpc.TypeCall, "/echo", 'p', make([]byte, cfg.ReadLimit-100))[:cfg.ReadLimit/2]
		}},
		"large calls to an ordered handler":              {"small limits", oneAtATime, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/ordered", 'p', large) }},
		"small calls to an ordered handler":              {"small limits", oneAtATime, func(s *stranger) []byte { return s.raw(erpc.TypeCall, "/ordered", 'p', large[:10]) }},
		"large HTTP requests to an ordered handler":      {"http, small limits", oneAtATime, func(s *stranger) []byte { return post(large) }},
		"small HTTP requests to an ordered handler":      {"http, small limits", oneAtATime, func(s *stranger) []byte { return post(large[:10]) }},
		"large messages of Thrift to an ordered handler": {"thrift, small limits", oneAtATime, func(s *stranger) []byte { return thrift(s, large) }},
		"small messages of Thrift to an ordered handler": {"thrift, small limits", oneAtATime, func(s *stranger) []byte { return thrift(s, large[:10]) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stranger{T: t, child: start(t, c.door, "GOMEMLIMIT=off")}
			f := c.frame(s)
			idle := s.child.goroutines(t)
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
			grown := s.child.goroutines(t) - idle
			if _, highest, _ := s.child.numbers(t); c.goroutines == oneAtATime && (highest == 0 || highest > n) {
				t.Errorf("%d handlers were at work at the same time, want one for each of %d sessions", highest, n)
			}
			if c.door == "small limits" {
				s.servesOthers()
			}
			took := s.child.end(t)
			t.Logf("%d bytes sent: %.1f MiB of the %.1f that the page computes, %d goroutines more", s.sent.Load(), float64(took.memory)/(1<<20), float64(n*each)/(1<<20), grown)
			if took.memory > most {
				t.Errorf("memory grew by %.1f MiB, more than %.1f", float64(took.memory)/(1<<20), float64(most)/(1<<20))
			}
			if grown > c.goroutines {
				t.Errorf("there are %d goroutines more, and %d allowed", grown, c.goroutines)
			}
		})
	}
}

// TestRequestsOfOneHTTP2Connection: requests that are made at the same time over one
// connection to an ordered handler are handled one after another, and those that wait
// are as many as docs/limits.md says.
func TestRequestsOfOneHTTP2Connection(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("the race detector takes more memory than the attacks")
	}
	const streams, clients = 100, 4 // that net/http takes of one connection; connections
	cfg := smallLimits()
	s := &stranger{T: t, child: start(t, "http, small limits", "GOMEMLIMIT=off")}
	idle := s.child.goroutines(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range clients {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		tr := &http.Transport{Protocols: protocols, MaxConnsPerHost: 1} // or a slow machine dials one for each request
		defer tr.CloseIdleConnections()
		for range 3 * streams {
			wg.Go(func() {
				body := bytes.NewReader(make([]byte, 16<<10))
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.child.addr+"/ordered", body)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/octet-stream")
				if resp, err := tr.RoundTrip(r); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body) // a refusal, or the end
					_ = resp.Body.Close()
				}
			})
		}
	}
	kit.Eventually(t, patience, "a handler at work for each connection", func() bool { _, n, _ := s.child.numbers(t); return n >= clients })
	time.Sleep(500 * time.Millisecond) // in which more must not begin
	grown := s.child.goroutines(t) - idle
	if _, n, sessions := s.child.numbers(t); n > sessions {
		t.Errorf("%d handlers of %d sessions are at work, one for each allowed", n, sessions)
	}
	stop()
	wg.Wait()
	took := s.child.end(t)
	most := 2*clients*kit.ConnectionCost(cfg, false) + 8<<20 // half of it is garbage: GOGC=10 needs no factor
	t.Logf("%.1f MiB of %.1f, %d goroutines more", float64(took.memory)/(1<<20), float64(most)/(1<<20), grown)
	if took.memory > most {
		t.Errorf("memory grew by %.1f MiB, more than %.1f", float64(took.memory)/(1<<20), float64(most)/(1<<20))
	}
	if allowed := clients * (streams*4 + 16); grown > allowed { // a request has a few
		t.Errorf("there are %d goroutines more, and %d allowed", grown, allowed)
	}
}
