package erpc_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// The tests of cases_*_test.go are named by the numbers of the catalogue of
// cases that erpc promises to survive; docs/reliability.md has it as a table.
// Each checks that it leaves no goroutine and no file descriptor behind, and
// waits for nothing without a bound. ERPC_CASES=full runs the numbers of the
// catalogue, otherwise smaller ones run.

const (
	// slack is how much slower than a quiet machine without -race the machine
	// of these tests may be.
	slack = 8
	// prompt is what "at once" means: 100 ms on loopback.
	prompt = slack * 100 * time.Millisecond
	// bound ends every other wait.
	bound = 60 * time.Second
)

// times returns how often a test repeats what it does.
func times(quick, full int) int {
	if os.Getenv("ERPC_CASES") == "full" {
		return full
	}
	return quick
}

// leavesNothing fails the test if it leaves goroutines or descriptors behind. It must
// be the first thing that a test calls, so that it looks last.
func leavesNothing(t *testing.T) {
	t.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err != nil { // the runtime opens what it polls with
		t.Fatal(err)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	t.Cleanup(func() {
		var left error
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if left = goleak.Find(atStart); left == nil || time.Now().After(end) {
				break
			}
		}
		if left != nil {
			t.Errorf("goroutines left behind: %v", left)
		}
		var now map[string]int
		var more []string
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			now, more = descriptors(t), nil
			for name, n := range now {
				if n > before[name] {
					more = append(more, fmt.Sprintf("%s ×%d", name, n-before[name]))
				}
			}
			if more == nil || time.Now().After(end) {
				break
			}
		}
		if more != nil {
			t.Errorf("descriptors left behind: %s", strings.Join(more, ", "))
		}
	})
}

// descriptors counts the open files of the process by their kind.
func descriptors(t *testing.T) map[string]int {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil // only Linux can tell
	}
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // that of the directory, which is closed again
		}
		kind, _, _ := strings.Cut(to, ":")
		kinds[kind]++
	}
	return kinds
}

// endsWithin fails the test, with the stacks of all goroutines, if f takes longer
// than d. It returns how long f took.
func endsWithin(t *testing.T, d time.Duration, what string, f func()) time.Duration {
	t.Helper()
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	arrives(t, d, what, done)
	return time.Since(start)
}

// arrives returns what c gives, and fails the test if that takes longer than d.
func arrives[T any](t *testing.T, d time.Duration, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		buf := make([]byte, 1<<20)
		t.Fatalf("%s: nothing after %v\n%s", what, d, buf[:runtime.Stack(buf, true)])
		panic("not reached")
	}
}

// becomes waits until cond holds.
func becomes(t *testing.T, d time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: not so after %v\n%s", what, d, buf[:runtime.Stack(buf, true)])
		}
	}
}

// A caseLog is a log that tests look into. It keeps what is at least as grave
// as min.
type caseLog struct {
	min slog.Level

	mu    sync.Mutex // guards the following
	lines []string
}

func (j *caseLog) Enabled(_ context.Context, l slog.Level) bool { return l >= j.min }
func (j *caseLog) WithAttrs([]slog.Attr) slog.Handler           { return j }
func (j *caseLog) WithGroup(string) slog.Handler                { return j }

func (j *caseLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %v", a); return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, b.String())
	return nil
}

// says returns the lines that hold text.
func (j *caseLog) says(text string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, l := range j.lines {
		if strings.Contains(l, text) {
			lines = append(lines, l)
		}
	}
	return lines
}

// silent fails the test if anything was logged.
func (j *caseLog) silent(t *testing.T) {
	t.Helper()
	if lines := j.says(""); len(lines) > 0 {
		t.Errorf("logged at %v and above: %q", j.min, lines)
	}
}

// A medium is what peers of a test talk over.
type medium struct {
	network string
	secure  bool
}

var tcp = medium{network: "tcp"}

// overEach runs f over TCP, Unix sockets and TLS, and checks that they left
// nothing behind.
func overEach(t *testing.T, f func(t *testing.T, on medium)) {
	t.Helper()
	leavesNothing(t)
	for _, m := range []medium{tcp, {network: "unix"}, {network: "tcp", secure: true}} {
		name := m.network
		if m.secure {
			name = "tls"
		}
		t.Run(name, func(t *testing.T) { f(t, m) })
	}
}

// peer returns a peer, which the test closes.
func (m medium) peer(t *testing.T, cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	t.Helper()
	if cfg.Network == "" {
		cfg.Network = m.network
	}
	switch m.network {
	case "unix":
		cfg.LocalIP = filepath.Join(t.TempDir(), "s")
	default:
		if cfg.LocalIP == "" && cfg.ListenAddress == "" { // a LocalIP would bind what is dialed, too
			cfg.ListenAddress = "127.0.0.1:0"
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := erpc.NewPeer(cfg, plugins...)
	if m.secure {
		p.SetTLSConfig(m.tls())
	}
	t.Cleanup(func() { _ = p.Close() }) // a second one does nothing
	return p
}

func (m medium) tls() *tls.Config {
	c := erpc.GenerateTLSConfigForServer()
	c.InsecureSkipVerify = true
	return c
}

// place returns an address that servers of a test can come back to: one that the
// system does not give to an outgoing connection while no server is there.
func (m medium) place(t *testing.T) string {
	t.Helper()
	if m.network == "unix" {
		return filepath.Join(t.TempDir(), "place")
	}
	for range 100 {
		lis, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 15_000+rand.IntN(15_000)))
		if err == nil {
			_ = lis.Close() // only to see whether it is free
			return lis.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// servesAt lets p accept sessions and returns its address.
func servesAt(t *testing.T, p erpc.Peer) string {
	t.Helper()
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return servesOn(t, p, lis)
}

func servesOn(t *testing.T, p erpc.Peer, lis net.Listener) string {
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(lis) }()
	t.Cleanup(func() {
		_ = p.Close() // a second one does nothing
		if err := arrives(t, bound, "end of Serve", ended); err == nil {
			t.Error("Serve returned no error")
		}
	})
	becomes(t, bound, "Serve", func() bool { return len(p.Listeners()) > 0 }) // from now on Close closes it
	return lis.Addr().String()
}

// opens opens a session.
func opens(t *testing.T, p erpc.Peer, addr string) erpc.Session {
	t.Helper()
	var sess erpc.Session
	var st *erpc.Status
	endsWithin(t, bound, "dial", func() { sess, st = p.Dial(addr) })
	if !st.OK() {
		t.Fatalf("dial %s: %v", addr, st)
	}
	return sess
}

// wantCode fails the test if st has another code.
func wantCode(t *testing.T, what string, st *erpc.Status, code int32) {
	t.Helper()
	if st.Code() != code {
		t.Errorf("%s: status %v, want code %d", what, st, code)
	}
}

// A wire is the other side of a connection, driven by hand.
type wire struct {
	net.Conn
	r *bufio.Reader
}

var rawFormat = rawproto.New()

// listenRaw returns a listener that does nothing by itself.
func (m medium) listenRaw(t *testing.T) net.Listener {
	t.Helper()
	addr := "127.0.0.1:0"
	if m.network == "unix" {
		addr = filepath.Join(t.TempDir(), "raw")
	}
	lis, err := net.Listen(m.network, addr)
	if err != nil {
		t.Fatal(err)
	}
	if m.secure {
		lis = tls.NewListener(lis, m.tls())
	}
	t.Cleanup(func() { _ = lis.Close() }) // a second one does nothing
	return lis
}

// handle runs f for the first connection of a raw listener, at the address
// that it returns. The connection is closed when f returns, or the test ends.
func (m medium) handle(t *testing.T, f func(w *wire)) (addr string) {
	t.Helper()
	lis := m.listenRaw(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := lis.Accept()
		if err != nil {
			return // the test has ended
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(bound)) // a broken one tells by itself
		if c, ok := conn.(*tls.Conn); ok && c.Handshake() != nil {
			return // the other side tells
		}
		f(&wire{conn, bufio.NewReader(conn)})
	}()
	t.Cleanup(func() {
		_ = lis.Close() // it may be closed
		arrives(t, bound, "end of the raw server", done)
	})
	return lis.Addr().String()
}

// connect returns a connection to a peer, driven by hand; the test closes it.
func (m medium) connect(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.DialTimeout(m.network, addr, bound)
	if err != nil {
		t.Fatal(err)
	}
	if m.secure {
		conn = tls.Client(conn, m.tls())
	}
	_ = conn.SetDeadline(time.Now().Add(bound)) // a broken one tells by itself
	t.Cleanup(func() { _ = conn.Close() })      // a second one does nothing
	return &wire{conn, bufio.NewReader(conn)}
}

// read reads one message.
func (w *wire) read() (erpc.Message, error) {
	m := erpc.NewMessage()
	return m, rawFormat.Unpack(w.r, m, 64<<20)
}

// answer sends the reply to m, with body as it stands.
func (w *wire) answer(t *testing.T, m erpc.Message, body string) {
	t.Helper()
	if _, err := w.Write(rawFrame(t, erpc.TypeReply, m.Seq(), "", []byte(body))); err != nil {
		t.Errorf("answer: %v", err)
	}
}

// ends waits for the end of the connection, and fails the test if there is
// none within d.
func (w *wire) ends(t *testing.T, d time.Duration) {
	t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(d)) // a broken one tells by itself
	for {
		if _, err := w.r.Discard(1); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Errorf("the connection is open after %v", d)
			}
			return
		}
	}
}

// rawFrame returns a message as it is on the wire of the raw protocol.
func rawFrame(t *testing.T, mtype byte, seq int32, method string, body []byte, settings ...erpc.MessageSetting) []byte {
	t.Helper()
	m := erpc.NewMessage(settings...)
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBody(body)
	if m.BodyCodec() == 0 {
		m.SetBodyCodec('j')
	}
	b, err := proto.Proto(rawFormat).Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Sum is what most handlers of these tests do.
type Sum struct{ A, B int }

func addUp(_ context.Context, s *Sum) (*int, error) {
	n := s.A + s.B
	return &n, nil
}

func sameBytes(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil }

// answers fails the test if a call does not get its reply.
func answers(t *testing.T, s erpc.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	n, err := erpc.Call[int](ctx, s, "/add", &Sum{3, 4})
	if err != nil || *n != 7 {
		t.Errorf("call of /add: %v, %v", n, err)
	}
}
