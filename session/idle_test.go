package session

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// A fakeSource is a connection whose Wait returns what wake, or a deadline in the
// past, makes it return.
type fakeSource struct {
	pollable, watched bool
	refuse            bool // OnReadable refuses
	flushed           int
	readable          func()

	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{}
	ready    error // what Wait returns; errNotReady: it waits
}

var errNotReady = errors.New("nothing to read")

func newFakeSource(pollable, watched bool) *fakeSource {
	return &fakeSource{pollable: pollable, watched: watched, ready: errNotReady, changed: make(chan struct{})}
}

func (s *fakeSource) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeSource) Wait() error {
	for {
		s.mu.Lock()
		ready, past, changed := s.ready, !s.deadline.IsZero() && s.deadline.Before(time.Now()), s.changed
		s.mu.Unlock()
		switch {
		case past:
			return &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
		case ready != errNotReady:
			return ready
		}
		<-changed
	}
}

func (s *fakeSource) SetReadDeadline(d time.Time) error {
	s.set(func() { s.deadline = d })
	return nil
}

func (s *fakeSource) StartFlush()    { s.flushed++ }
func (s *fakeSource) Pollable() bool { return s.pollable }
func (s *fakeSource) Watched() bool  { return s.watched }
func (s *fakeSource) OnReadable(f func()) bool {
	if s.refuse {
		return false
	}
	s.readable = f
	return true
}

func (s *fakeSource) noDeadline(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deadline.IsZero() {
		t.Errorf("a deadline is left: %v", s.deadline)
	}
}

// waits runs wait until the reader is in the state waiting, and returns a channel
// with its result.
func waits(t *testing.T, r *idleReader, src source) <-chan error {
	t.Helper()
	res := make(chan error, 1)
	go func() { res <- r.wait(src, func() {}) }()
	for end := time.Now().Add(longest); r.state.state() != readerWaiting; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the reader does not wait")
		}
	}
	return res
}

func TestReaderGetsWhatComes(t *testing.T) {
	for _, want := range []error{nil, io.EOF} {
		var r idleReader
		src := newFakeSource(true, false)
		watched := 0
		src.ready = want
		if err := r.wait(src, func() { watched++ }); err != want {
			t.Errorf("wait returned %v, want %v", err, want)
		}
		if wantWatched := 1; want == nil && watched != wantWatched {
			t.Errorf("watch was called %d times", watched)
		}
		if r.state.state() != readerBusy {
			t.Errorf("the reader is %v", r.state.state())
		}
	}
}

func TestWokenReaderHandsOver(t *testing.T) {
	var r idleReader
	src := newFakeSource(true, false)
	res := waits(t, &r, src)
	r.wake(src)
	if err := <-res; err != errHandOver {
		t.Errorf("wait returned %v", err)
	}
	src.noDeadline(t)
	read := 0
	resume := func() { r.resumed(); read++ }
	r.handOver(src, resume)
	if read != 1 {
		t.Error("nobody reads on")
	}
	r.wake(src) // while nobody waits it does nothing
	src.noDeadline(t)
}

func TestConnectionThatMayNotBeWoken(t *testing.T) {
	var r idleReader
	src := newFakeSource(false, false)
	res := waits(t, &r, src)
	r.wake(src)
	src.noDeadline(t)
	src.set(func() { src.ready = nil })
	if err := <-res; err != nil {
		t.Errorf("wait returned %v", err)
	}
}

// TestAgeIsNotAWake: the age of the session passes while the reader is being
// woken. wait reports the age.
func TestAgeIsNotAWake(t *testing.T) {
	var r idleReader
	src := newFakeSource(true, false)
	res := waits(t, &r, src)
	if r.aged(clock()) {
		t.Error("aged without an age")
	}
	r.setAge(src, clock()-time.Second)
	if err := <-res; !isTimeout(err) || !r.aged(clock()) {
		t.Errorf("wait returned %v, aged %v", err, r.aged(clock()))
	}
	r.setAge(src, 0)
	src.noDeadline(t)
	if r.aged(clock()) {
		t.Error("an age that was taken back has passed")
	}
}

func TestEventLoopWaits(t *testing.T) {
	var r idleReader
	src := newFakeSource(true, true)
	r.parked = true
	if err := r.wait(src, func() {}); err != errHandOver || src.flushed != 1 {
		t.Fatalf("wait returned %v, flushed %d times", err, src.flushed)
	}
	read := 0
	resume := func() { r.resumed(); read++ }
	r.handOver(src, resume)
	if read != 0 || src.readable == nil {
		t.Fatal("the loop does not wait")
	}
	src.readable()
	if read != 1 {
		t.Error("nobody reads what has come")
	}
	if r.parked {
		t.Error("a connection that was silent for a moment is parked")
	}
	r.handOver(src, resume)
	r.since -= 2 * shortNap
	src.readable()
	if !r.parked {
		t.Error("a connection that was silent for long is not parked")
	}
}

func TestEventLoopThatRefuses(t *testing.T) {
	var r idleReader
	src := newFakeSource(false, true)
	src.refuse = true
	r.parked = true
	if err := r.wait(src, func() {}); err != errHandOver {
		t.Fatalf("wait returned %v", err)
	}
	src.noDeadline(t)
	read := 0
	resume := func() { r.resumed(); read++ }
	r.handOver(src, resume)
	if read != 1 {
		t.Fatal("nobody waits")
	}
	res := waits(t, &r, src) // like any other now
	src.set(func() { src.ready = nil })
	if err := <-res; err != nil {
		t.Errorf("wait returned %v", err)
	}
	src.refuse = false
	r.handOver(src, resume)
	if read != 2 || src.readable != nil {
		t.Error("the loop that refused it was asked again")
	}
}

// A connection of an event loop that is not parked is waited for like any other,
// and so is one that the loop has refused. The watchdog is told, or nobody would
// hand it to the loop.
func TestWaitingBesideTheEventLoop(t *testing.T) {
	for _, refused := range []bool{false, true} {
		r := idleReader{parked: refused, keepsWaiting: refused}
		src := newFakeSource(true, true)
		src.ready = nil
		watched := 0
		if err := r.wait(src, func() { watched++ }); err != nil {
			t.Errorf("refused %v: wait returned %v", refused, err)
		}
		want := 2 // before it waits, and when a message comes
		if refused {
			want = 1
		}
		if watched != want {
			t.Errorf("refused %v: watch was called %d times, want %d", refused, watched, want)
		}
	}
}

// A readySource has something in a buffer of its own, as a TLS connection may.
type readySource struct{ *fakeSource }

func (s readySource) Wait() error { return nil }

// What has come already is read, be the connection parked or not.
func TestParkedConnectionThatHasInput(t *testing.T) {
	r := idleReader{parked: true}
	src := readySource{newFakeSource(false, true)}
	if err := r.wait(src, func() {}); err != nil {
		t.Errorf("wait returned %v", err)
	}
	src.noDeadline(t)
}

// Where an event loop waits, a goroutine may be woken that needs a buffer to wait.
func TestWakeForTheEventLoop(t *testing.T) {
	var r idleReader
	src := newFakeSource(false, true)
	res := waits(t, &r, src)
	r.wake(src)
	if err := <-res; err != errHandOver {
		t.Errorf("wait returned %v", err)
	}
	if r.state.state() != readerBusy {
		t.Errorf("the reader is %v", r.state.state())
	}
}

// The age of the session ends the connection, woken or parked.
func TestAgeThatPassesMeanwhile(t *testing.T) {
	var r idleReader
	src := newFakeSource(true, false)
	res := waits(t, &r, src)
	r.mu.Lock()
	r.ageEnd = clock() - 1
	r.mu.Unlock()
	r.wake(src)
	if err := <-res; !isTimeout(err) {
		t.Errorf("woken: wait returned %v", err)
	}
	parked := idleReader{parked: true, ageEnd: clock() - 1}
	if err := parked.wait(newFakeSource(false, true), func() {}); !isTimeout(err) {
		t.Errorf("parked: wait returned %v", err)
	}
}

// An endingSource ends when it is woken.
type endingSource struct{ *fakeSource }

func (s endingSource) SetReadDeadline(time.Time) error {
	s.set(func() { s.ready = io.EOF })
	return nil
}

// A connection that ends while its reader is woken has ended.
func TestEndWhileWoken(t *testing.T) {
	var r idleReader
	src := endingSource{newFakeSource(true, false)}
	res := waits(t, &r, src)
	r.wake(src)
	if err := <-res; err != io.EOF {
		t.Errorf("wait returned %v", err)
	}
}

func TestAgeIsADeadline(t *testing.T) {
	var r idleReader
	src := newFakeSource(true, false)
	r.setAge(src, clock()+time.Hour)
	if left := time.Until(src.deadline); left > time.Hour || left < time.Hour-time.Minute {
		t.Errorf("the deadline of an hour is %v away", left)
	}
	r.ageEnd = 5
	if r.aged(4) || !r.aged(5) {
		t.Error("the age does not pass exactly at its end")
	}
}
