package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// A sink is the connection of a unit test: it takes what is written, unless it is
// blocked, and nothing ever comes from it.
type sink struct {
	mu   sync.Mutex // guards the following
	got  []byte
	room chan struct{} // closed while it takes what is written

	closed chan struct{}
	once   sync.Once
}

func newSink() *sink {
	k := &sink{room: make(chan struct{}), closed: make(chan struct{})}
	close(k.room)
	return k
}

// block lets writes wait from now on, unblock lets them go on.
func (k *sink) block() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.room = make(chan struct{})
}

func (k *sink) unblock() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.room)
}

func (k *sink) Write(p []byte) (int, error) {
	k.mu.Lock()
	room := k.room
	k.mu.Unlock()
	select {
	case <-k.closed:
		return 0, net.ErrClosed
	case <-room:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = append(k.got, p...)
	return len(p), nil
}

func (k *sink) Read([]byte) (int, error) {
	<-k.closed
	return 0, net.ErrClosed
}

func (k *sink) Close() error {
	k.once.Do(func() { close(k.closed) })
	return nil
}

func (k *sink) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (k *sink) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2} }
func (k *sink) SetDeadline(time.Time) error      { return nil }
func (k *sink) SetReadDeadline(time.Time) error  { return nil }
func (k *sink) SetWriteDeadline(time.Time) error { return nil }

// A replay is a connection from which b is read.
type replay struct {
	sink
	b *bytes.Reader
}

func (r *replay) Read(p []byte) (int, error) { return r.b.Read(p) }

// messages returns what was written so far, and forgets it. It must be called
// when everything is written; see [unit.sent].
func (k *sink) messages(t *testing.T) (all []*message.Message) {
	t.Helper()
	k.mu.Lock()
	got := k.got
	k.got = nil
	k.mu.Unlock()
	sock := socket.New(&replay{b: bytes.NewReader(got)}, rawproto.New(), socket.Config{}.Complete())
	for {
		m := message.New()
		err := sock.Read(m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

// A fakeUpstream is the session of a connection that is tested alone. It notes
// what it is told.
type fakeUpstream struct {
	age time.Duration

	mu     sync.Mutex // guards the following
	events []string
}

func (u *fakeUpstream) note(event string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.events = append(u.events, event)
}

// told returns what the session was told since the last call.
func (u *fakeUpstream) told() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	events := u.events
	u.events = nil
	return events
}

func (u *fakeUpstream) ID() string                { return "unit" }
func (u *fakeUpstream) ContextAge() time.Duration { return u.age }
func (u *fakeUpstream) connDown(c *conn, cause error) {
	u.note(fmt.Sprint("down: ", cause))
	_ = c.close(cause) // as an Engine does
}
func (u *fakeUpstream) connLeaving(c *conn) { u.note("leaving") }
func (u *fakeUpstream) connEnded(_ *conn, why *ClosedError) {
	u.note(fmt.Sprint("ended: ", why.Status.Msg()))
}
func (u *fakeUpstream) connClosed(*conn) { u.note("closed") }

// A unit is one connection, whose session and network are the test.
type unit struct {
	*conn
	t    *testing.T
	net  *sink
	told *fakeUpstream
}

// newUnit returns a connection that nobody reads. set may change what it shares.
func newUnit(t *testing.T, routes Routes, set func(*Shared)) *unit {
	t.Helper()
	sh := fakeShared(routes)
	if set != nil {
		set(sh)
	}
	u := &unit{t: t, net: newSink(), told: new(fakeUpstream)}
	u.conn = newEngine(sh, u.net, rawproto.New, "unit", nil).conns.current()
	u.conn.up = u.told
	t.Cleanup(func() { _ = u.conn.close(nil) }) // perhaps a second time
	return u
}

// sent returns the messages that were sent since the last call.
func (u *unit) sent() []*message.Message {
	u.t.Helper()
	if err := u.sock.Flush(u.t.Context()); err != nil {
		u.t.Fatal(err)
	}
	return u.net.messages(u.t)
}

// sentOne returns the one message that was sent since the last call.
func (u *unit) sentOne() *message.Message {
	u.t.Helper()
	all := u.sent()
	if len(all) != 1 {
		u.t.Fatalf("%d messages were sent, want one: %v", len(all), all)
	}
	return all[0]
}

// sentNothing fails the test if anything was sent.
func (u *unit) sentNothing(why string) {
	u.t.Helper()
	if all := u.sent(); len(all) > 0 {
		u.t.Errorf("%s: sent %v", why, all)
	}
}

// inbound returns a message as if the goroutine that reads had read it.
func (u *unit) inbound(mtype byte, seq int32, method string, body any, set ...message.Setting) *exchange {
	u.t.Helper()
	x := getExchange(u.conn, roleNone)
	x.in.SetMtype(mtype)
	x.in.SetSeq(seq)
	x.in.SetServiceMethod(method)
	x.in.SetBodyCodec('j')
	raw, err := json.Marshal(body)
	if err != nil {
		u.t.Fatal(err)
	}
	x.in.SetRaw(raw)
	x.in.SetSize(uint32(len(raw)))
	x.in.Apply(set)
	return x
}

// accept handles a message as the goroutine that reads does.
func (u *unit) accept(mtype byte, seq int32, method string, body any, set ...message.Setting) outcome {
	u.t.Helper()
	x := u.inbound(mtype, seq, method, body, set...)
	out := (&readLoop{c: u.conn, x: x}).accept()
	if out.keep {
		putExchange(x)
	}
	return out
}

// occupy takes a place, as a handler on another goroutine does.
func (u *unit) occupy() (s slot) {
	s.occupy(u.conn)
	return s
}

// acquire takes the slot of x, whose handler is h.
func (u *unit) acquire(x *exchange, h *Handler) bool { return x.slot.acquire(u.conn, &x.in, h) }

// want fails the test if the session was not told these events.
func (u *unit) want(events ...string) {
	u.t.Helper()
	if got := u.told.told(); !slices.Equal(got, events) {
		u.t.Errorf("the session was told %q, want %q", got, events)
	}
}

// setReplaceable says whether the session can dial another connection.
func (u *unit) setReplaceable(on bool) {
	u.sess.conns.redials = nil
	if on {
		u.sess.conns.redials = new(redials)
	}
}

// unwatched keeps the watchdog away: a handler on the goroutine that reads keeps its
// place, however long the machine takes for it.
func (u *unit) unwatched() { u.handoff.watched.Store(true) } // it is on no list

// prove lets the other side of the unit be proven.
func (u *unit) prove() { u.proof.get().give() }

func stack() []byte {
	buf := make([]byte, 64)
	return buf[:runtime.Stack(buf, false)]
}

// bubble runs f in a bubble, where time passes when everything waits. Goroutines
// that f leaves behind, such as parked workers, have a while to end.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // registered first, so it runs last
		f(t)
	})
}
