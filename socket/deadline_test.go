package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
)

// A refusing connection says that it has no deadlines, as an SSH channel does.
type refusing struct{ net.Conn }

var errNoDeadlines = errors.New("deadline not supported")

func (refusing) SetDeadline(time.Time) error      { return errNoDeadlines }
func (refusing) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (refusing) SetWriteDeadline(time.Time) error { return errNoDeadlines }

// An ignoring connection takes deadlines and does nothing about them.
type ignoring struct{ net.Conn }

func (ignoring) SetDeadline(time.Time) error      { return nil }
func (ignoring) SetReadDeadline(time.Time) error  { return nil }
func (ignoring) SetWriteDeadline(time.Time) error { return nil }

// withoutDeadlines are both, over connections that block in different ways.
var withoutDeadlines = []struct {
	name string
	pair func(testing.TB) (a, b net.Conn)
}{
	{"refusing tcp", func(t testing.TB) (net.Conn, net.Conn) { a, b := pair(t, "tcp"); return refusing{a}, b }},
	{"ignoring tcp", func(t testing.TB) (net.Conn, net.Conn) { a, b := pair(t, "tcp"); return ignoring{a}, b }},
	{"refusing pipe", func(t testing.TB) (net.Conn, net.Conn) { a, b := kinds[4].pair(t); return refusing{a}, b }},
	{"ignoring pipe", func(t testing.TB) (net.Conn, net.Conn) { a, b := kinds[4].pair(t); return ignoring{a}, b }},
}

// reads starts a Read and returns a channel that gets its error.
func reads(s *Socket) <-chan error {
	read := make(chan error, 1)
	go func() { read <- s.Read(new(message.Message)) }()
	return read
}

// endsSoon fails the test unless the read ends with an error in time.
func endsSoon(t *testing.T, what string, read <-chan error) {
	t.Helper()
	select {
	case err := <-read:
		if err == nil {
			t.Errorf("%s: a message came that nobody sent", what)
		}
	case <-time.After(patience):
		t.Fatalf("%s: the reader still waits", what)
	}
}

func TestWriteTimeoutWithoutDeadlines(t *testing.T) {
	for _, k := range withoutDeadlines {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: 30 * time.Millisecond, QueueLimit: 64 << 20})
			read := reads(s)
			if err := s.Send(call(1, make([]byte, 8<<20)), ByPolicy, FlushInline); err != nil {
				t.Fatal(err)
			}
			endsSoon(t, "after the write timeout", read)
			if err := s.Err(); !errors.Is(err, ErrSlowReader) {
				t.Errorf("Err() = %v", err)
			}
		})
	}
}

// The watchdog ends a write that makes no progress: a piece now and then keeps the
// connection.
func TestSlowReaderWithoutDeadlines(t *testing.T) {
	withTimeout(t, func(timeout time.Duration) error {
		a, b := withoutDeadlines[2].pair(t)
		s := newSocket(a, Config{WriteTimeout: timeout})
		defer s.Close()
		if err := s.Send(call(1, make([]byte, 8*wrappedPiece)), ByPolicy, FlushInline); err != nil {
			return err
		}
		buf := make([]byte, wrappedPiece)
		for got := 0; got < 8*wrappedPiece; { // takes several timeouts
			n, err := b.Read(buf)
			if err != nil {
				return errors.Join(err, s.Err())
			}
			got += n
			time.Sleep(timeout / 3)
		}
		return nil
	})
}

func TestCloseWithoutDeadlines(t *testing.T) {
	for _, k := range withoutDeadlines {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: -1, QueueLimit: 64 << 20})
			read := reads(s)
			if err := s.Send(call(1, make([]byte, 8<<20)), ByPolicy, FlushInline); err != nil {
				t.Fatal(err)
			}
			var err error
			d := wait.Took(func() { err = s.Close() })
			if err != nil {
				t.Error(err)
			}
			if d > lingerTime/2 {
				t.Errorf("Close took %v", d)
			}
			endsSoon(t, "after Close", read)
		})
	}
}

func TestDisconnectWithoutDeadlines(t *testing.T) {
	for _, k := range withoutDeadlines {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: -1, QueueLimit: 1000, Policy: Disconnect})
			read := reads(s)
			eventually(t, "the queue is full", func() bool {
				err := s.Send(push(1, make([]byte, 100_000)), ByPolicy, FlushInline)
				return errors.Is(err, ErrSlowReader)
			})
			endsSoon(t, "after the disconnect", read)
		})
	}
}

// settersOfDeadlines are the methods that bound a read.
var settersOfDeadlines = map[string]func(*Socket, time.Time) error{"both": (*Socket).SetDeadline, "read": (*Socket).SetReadDeadline}

// The deadlines that a session sets hold on a connection that refuses them.
func TestSetDeadline(t *testing.T) {
	for name, set := range settersOfDeadlines {
		for _, c := range []struct {
			what  string
			times []time.Duration
		}{
			{"in the past", []time.Duration{-time.Second}},
			{"soon", []time.Duration{20 * time.Millisecond}},
			{"moved near", []time.Duration{time.Hour, 20 * time.Millisecond}},
		} {
			a, _ := withoutDeadlines[0].pair(t)
			s := newSocket(a, Config{})
			read := reads(s)
			for _, d := range c.times {
				if err := set(s, time.Now().Add(d)); err != nil {
					t.Errorf("%s, %s: %v", name, c.what, err)
				}
			}
			endsSoon(t, c.what, read)
			if err := s.Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, %s: %v", name, c.what, err)
			}
		}
	}
}

// A deadline that is taken back or put off before its time does not end the read.
func TestDeadlineThatIsMoved(t *testing.T) {
	for name, set := range settersOfDeadlines {
		for what, to := range map[string]func() time.Time{
			"taken back": func() time.Time { return time.Time{} },
			"put off":    func() time.Time { return time.Now().Add(time.Hour) },
		} {
			withTimeout(t, func(timeout time.Duration) error {
				a, _ := withoutDeadlines[0].pair(t)
				s := newSocket(a, Config{})
				defer s.Close()
				read := reads(s)
				if err := errors.Join(set(s, time.Now().Add(timeout)), set(s, to())); err != nil {
					return fmt.Errorf("%s, %s: %w", name, what, err)
				}
				select {
				case err := <-read:
					return fmt.Errorf("%s, %s: the read ended with %w", name, what, err)
				case <-time.After(2 * timeout):
				}
				_ = s.Close()
				endsSoon(t, what, read)
				if err := set(s, time.Now()); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s, %s, after Close: %v", name, what, err)
				}
				return nil
			})
		}
	}
}
