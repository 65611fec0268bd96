//go:build linux

package attack

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// soon is a limit on connections that are stuck, so that the attacks are short.
const soon = 100 * time.Millisecond

// impatientLogin opens a door where a login has little time.
func impatientLogin(v *victim) (string, error) {
	return v.listen(erpc.PeerConfig{}, auth.NewChecker(auth.CheckerConfig{Timeout: soon, Checker: auth.CheckToken(func(string) bool { return false })}))
}

// impatientWriter opens a door where a client that does not read is soon cut off. It counts the
// sessions that have ended as executed.
func impatientWriter(v *victim) (string, error) {
	cfg := erpc.PeerConfig{WriteTimeout: soon, QueueLimit: 32 << 10, SocketWriteBuffer: 16 << 10}
	return v.listen(cfg, &erpc.PluginImpl{PluginName: "count", OnPostDisconnect: func(erpc.BaseSession) *erpc.Status {
		v.executed.Add(1)
		return nil
	}})
}

// asking calls each client and expects an answer soon.
func asking(v *victim) (string, error) {
	return v.listen(erpc.PeerConfig{StuckTimeout: soon}, &erpc.PluginImpl{PluginName: "ask", OnPostOpen: func(sess erpc.Session, _ bool) {
		sess.AsyncCall("/who", nil, nil, nil)
	}})
}

// beating answers heartbeats and misses them soon.
func beating(v *victim) (string, error) {
	return v.listen(erpc.PeerConfig{}, heartbeat.NewPonger(heartbeat.PongConfig{Rate: soon, Misses: 2}))
}

// forbidden returns a plugin whose hooks refuse everybody.
func forbidden() erpc.Plugin {
	return acl.New(acl.Config{Rules: []acl.Rule{{Methods: []string{"*"}, Allow: []string{"nobody"}}}})
}

// guarded has a route whose hook refuses everybody, and one whose hook panics.
func guarded(v *victim) (string, error) {
	addr, err := v.listen(erpc.PeerConfig{})
	erpc.HandleCall(v.peer.SubRoute("/admin", forbidden()), "/change", swallow[[]byte](v))
	erpc.HandlePush(v.peer.SubRoute("/told", forbidden()), "/change", func(context.Context, *[]byte) error { v.executed.Add(1); return nil })
	erpc.HandleCall(v.peer.SubRoute("/broken", &erpc.PluginImpl{PluginName: "broken", OnPostReadCallHeader: func(erpc.ReadCtx) *erpc.Status {
		panic("a mistake of a hook")
	}}), "/change", swallow[[]byte](v))
	return addr, err
}

// crowded serves a process that has few descriptors left.
func crowded(v *victim) (string, error) {
	addr, err := v.listen(erpc.PeerConfig{})
	if err != nil {
		return "", err
	}
	return addr, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: fewDescriptors, Max: fewDescriptors})
}

// fewDescriptors is how many the process of [crowded] has.
const fewDescriptors = 40

// stuck returns attacks by connections that are opened, and then end or are stuck: how many
// there are must not decide how much is logged.
func stuck() []attack {
	// A line of each kind per second, for as long as a slow machine needs.
	most := cost{memory: 48 << 20, cpu: sized(5*time.Second, 20*time.Second), log: 6 << 10}
	twice, flooded, panics := most, most, most
	twice.log, flooded.log, panics.log = 12<<10, oneLineASecond, sized[int64](512<<10, 4<<20)
	n := sized(100, 1000)
	return []attack{
		{class: "stuck", name: "silence in place of a TLS handshake", door: "tls, 100 ms", most: most, run: stall(n, "connection refused", nothing)},
		{class: "stuck", name: "silence in place of a login", door: "login, 100 ms", most: twice, run: stall(n, "auth: refused", nothing)},
		{class: "stuck", name: "no answer to a call", door: "asking, 100 ms", most: most, run: stall(n, "connection is stuck", nothing)},
		{class: "stuck", name: "heartbeats that stop", door: "heartbeat", most: most, run: stall(n, "nothing was heard", beat("100"))},
		{class: "stuck", name: "large replies, unread", door: "writing, 100 ms", most: most, run: unread(sized(50, 100))},
		{class: "heartbeat", name: "a rate with each message", door: "heartbeat", most: flooded, run: func(s *stranger) {
			s.flood(beat("no rate")(s), sized(256<<10, 4<<20))
			s.flood(append(beat("100")(s), beat("90000000")(s)...), sized(512<<10, 8<<20))
		}},
		{class: "routes", name: "calls that a hook refuses", door: "guarded routes", most: flooded, run: refusedBy("/admin/change", erpc.TypeCall)},
		{class: "routes", name: "pushes that a hook refuses", door: "guarded routes", most: flooded, run: refusedBy("/told/change", erpc.TypePush)},
		{class: "routes", name: "calls of a hook that panics", door: "guarded routes", most: panics, run: refusedBy("/broken/change", erpc.TypeCall)},
		{class: "accept", name: "connections that end at once", door: "raw", most: most, run: endAtOnce},
		{class: "accept", name: "more connections than descriptors", door: "few descriptors", most: most, run: tooManyOpen},
	}
}

func nothing(*stranger) []byte { return nil }

// beat returns a heartbeat with the rate in milliseconds.
func beat(rate string) func(*stranger) []byte {
	return func(s *stranger) []byte {
		return s.raw(erpc.TypeCall, heartbeat.ServiceMethod, 'j', nil, erpc.WithSetMeta("X-Erpc-Beat", rate))
	}
}

// stall returns an attack by n connections that send a message and then nothing. The victim
// ends them, and says why.
func stall(n int, why string, message func(*stranger) []byte) func(*stranger) {
	return func(s *stranger) {
		var wg sync.WaitGroup
		for range n {
			conn := s.dial()
			if _, err := conn.Write(message(s)); err != nil {
				s.Fatal(err)
			}
			wg.Go(func() {
				if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
					s.Error("a connection that is stuck goes on")
				}
			})
		}
		wg.Wait()
		s.says(why)
	}
}

// says waits until the victim has logged what it should, if only once.
func (s *stranger) says(why string) {
	s.Helper()
	kit.Eventually(s, patience, "a line that says "+why, func() bool { return strings.Contains(s.child.log.head(), why) })
}

// unread returns an attack by n connections that call and do not read the replies.
func unread(n int) func(*stranger) {
	return func(s *stranger) {
		call := s.raw(erpc.TypeCall, "/echo", 'p', make([]byte, 256<<10))
		for range n {
			conn := s.dial()
			if err := conn.(*countingConn).Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
				s.Fatal(err)
			}
			if _, err := conn.Write(call); err != nil {
				s.Fatal(err)
			}
		}
		kit.Eventually(s, patience, "the end of the sessions", func() bool { ended, _, _ := s.child.numbers(s.T); return ended == n })
	}
}

// refusedBy returns an attack by messages that a hook of a route refuses.
func refusedBy(method string, mtype byte) func(*stranger) {
	return func(s *stranger) {
		idle := s.child.goroutines(s.T)
		s.flood(s.raw(mtype, method, 'p', nil), sized(128<<10, 4<<20))
		executed, _, _ := s.child.numbers(s.T)
		if executed > 0 {
			s.breaks("%d messages were executed", executed)
		}
		kit.Eventually(s, patience, "the end of the goroutines", func() bool { return s.child.goroutines(s.T) <= idle+20 })
	}
}

// endAtOnce opens connections and ends them, one after another: with and without a part of a
// message, in order and by a reset.
func endAtOnce(s *stranger) {
	part := s.raw(erpc.TypeCall, "/add", 'j', make([]byte, 100))[:50]
	for i := range sized(200, 4000) {
		conn := s.dial()
		if i%2 == 0 {
			_, _ = conn.Write(part) // the victim may have ended it
		}
		if i%4 < 2 {
			_ = conn.(*countingConn).Conn.(*net.TCPConn).SetLinger(0) // as above
		}
		_ = conn.Close() // as above
	}
	s.servesOthers()
}

// tooManyOpen opens more connections than the victim has descriptors, and then another for each
// that it ends, so that accepting them fails and succeeds by turns.
func tooManyOpen(s *stranger) {
	var open []net.Conn
	for range 3 * fewDescriptors {
		open = append(open, s.dial())
	}
	for i := range sized(200, 2000) {
		_ = open[i].Close() // the victim may have ended it
		open = append(open, s.dial())
		time.Sleep(time.Millisecond) // the victim accepts one, and fails to accept the next
	}
	s.says("accept failed")
	for _, conn := range open {
		_ = conn.Close() // a second Close does nothing
	}
	s.servesOthers()
}
