package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
)

// echo sends back what it receives, until there is no more.
func echo(_ CallCtx, s *Stream) *message.Status {
	for {
		var n int
		err := s.Recv(&n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.Send(n)
		}
		if err != nil {
			return message.FromError(err)
		}
	}
}

func TestAStreamFromOpenToEnd(t *testing.T) {
	meta, release := make(chan string, 1), make(chan struct{})
	h := streamHandler(func(ctx CallCtx, s *Stream) *message.Status {
		meta <- s.Meta().Get("who") + ", " + ctx.GetMeta("who") + ", " + s.Method()
		ctx.SetMeta("count", "3")
		st := echo(ctx, s)
		<-release
		return st
	})
	duets(t, routes{stream: h}, func(d *duet) {
		s := d.open(d.Context(), message.WithSetMeta("who", "anna"))
		defer s.Close()
		if got := <-meta; got != "anna, anna, /s" {
			t.Errorf("the handler sees %q", got)
		}
		if got := s.Trailer().Len(); got != 0 {
			t.Errorf("a trailer of %d entries before the end", got)
		}
		for i := range 3 {
			var n int
			if err := errors.Join(s.Send(i), s.Recv(&n)); err != nil || n != i {
				t.Fatalf("sent %d, got %d, %v", i, n, err)
			}
		}
		select {
		case <-s.Done():
			t.Error("it has ended")
		default:
		}
		if err := errors.Join(s.CloseSend(), s.CloseSend()); err != nil { // the second does nothing
			t.Error(err)
		}
		if err := s.Send(4); err == nil || !strings.Contains(err.Error(), "after CloseSend") {
			t.Errorf("sending after CloseSend: %v", err)
		}
		release <- struct{}{} // from now on the stream may end
		if err := s.Recv(new(int)); err != io.EOF {
			t.Errorf("after the last message: %v", err)
		}
		if st := s.Status(); !st.OK() || context.Cause(s.Context()) != io.EOF {
			t.Errorf("it ended with %v, its context with %v", st, context.Cause(s.Context()))
		}
		if got := s.Trailer().Get("count"); got != "3" {
			t.Errorf("the trailer has count %q", got)
		}
		if sent, received := s.Counts(); sent != 3 || received != 3 {
			t.Errorf("%d sent, %d received", sent, received)
		}
		if s.Session() != Session(d.here) || s.Meta().Get("who") != "anna" {
			t.Errorf("session %v, metadata %v", s.Session(), s.Meta())
		}
		if err := s.Send(5); err != io.EOF {
			t.Errorf("sending after a good end: %v", err)
		}
		if err := s.CloseSend(); err != io.EOF {
			t.Errorf("CloseSend after a good end: %v", err)
		}
	})
}

// A handler that receives everything gets the metadata of CloseSendMeta even if
// the opener closes the stream afterwards.
func TestTrailerOutlivesClose(t *testing.T) {
	trailer := make(chan string, 1)
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		if err := s.Recv(new(int)); err != io.EOF {
			t.Errorf("received %v", err)
		}
		<-s.Done() // the opener has gone
		trailer <- string(s.Trailer().Peek("sum"))
		return nil
	})
	duets(t, routes{stream: h}, func(d *duet) {
		s := d.open(d.Context())
		meta := new(message.Meta)
		meta.Set("sum", "7")
		if err := s.CloseSendMeta(meta); err != nil {
			t.Error(err)
		}
		synctest.Wait() // the handler has the end
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := <-trailer; got != "7" {
			t.Errorf("the trailer is %q", got)
		}
	})
}

func TestEndsOfAStream(t *testing.T) {
	type side struct {
		*duet
		s      *Stream
		cancel context.CancelFunc
	}
	wait := func(_ CallCtx, s *Stream) *message.Status { // for a message that does not come
		return message.FromError(s.Recv(new(int)))
	}
	const none = -1 // the handler is not expected to end with the stream
	for _, c := range []struct {
		name    string
		handler func(CallCtx, *Stream) *message.Status
		end     func(side)
		opener  int32 // code of Recv where it was opened
		recv    int32 // of Recv in the handler, or none
	}{
		{"the handler returns", func(CallCtx, *Stream) *message.Status { return nil }, nil, 0, none},
		{"the handler fails", func(CallCtx, *Stream) *message.Status { return message.NewStatus(1234, "no") }, nil, 1234, none},
		{"the handler panics", func(CallCtx, *Stream) *message.Status { panic("oops") }, nil, message.CodeInternalServerError, none},
		{"the handler exits", func(CallCtx, *Stream) *message.Status { runtime.Goexit(); return nil }, nil, message.CodeInternalServerError, none},
		{"the opener closes", wait, func(s side) { _ = s.s.Close() }, message.CodeCanceled, message.CodeCanceled},
		{"the opener's context is cancelled", wait, func(s side) { s.cancel() }, message.CodeCanceled, message.CodeCanceled},
		{"the opener's session is closed", wait, func(s side) { _ = s.here.Close() }, message.CodeConnClosed, message.CodeConnClosed},
		{"the handler's session is closed", wait, func(s side) { _ = s.there.Close() }, message.CodeConnClosed, message.CodeConnClosed},
		{"the opener's session shuts down", wait, func(s side) { s.here.End(ErrShutdown) }, message.CodeShuttingDown, message.CodeShuttingDown},
		{"the handler's session shuts down", wait, func(s side) { s.there.End(ErrShutdown) }, message.CodeShuttingDown, message.CodeShuttingDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			received := make(chan int32, 1)
			done := make(chan error, 1)
			h := streamHandler(func(ctx CallCtx, s *Stream) *message.Status {
				defer func() { go func() { <-s.Done(); <-s.Context().Done(); done <- context.Cause(s.Context()) }() }()
				st := c.handler(ctx, s)
				received <- st.Code()
				return st
			})
			duets(t, routes{stream: h}, func(d *duet) {
				ctx, cancel := context.WithCancel(d.Context())
				defer cancel()
				s := d.open(ctx)
				synctest.Wait()
				if c.end != nil {
					c.end(side{d, s, cancel})
				}
				err := s.Recv(new(int))
				if got := code(err); err == nil || got != c.opener {
					t.Errorf("the opener receives %v, want code %d", err, c.opener)
				}
				if got := s.Status().Code(); got != c.opener {
					t.Errorf("the status is %d, want %d", got, c.opener)
				}
				<-s.Context().Done() // it ends just behind what Recv has returned
				if cause := context.Cause(s.Context()); cause == nil || code(cause) != c.opener && !errors.Is(cause, context.Canceled) {
					t.Errorf("the opener's context ended with %v", cause)
				}
				if c.recv != none {
					if got := <-received; got != c.recv {
						t.Errorf("the handler receives %d, want %d", got, c.recv)
					}
				}
				if cause := <-done; cause == nil {
					t.Error("the handler's context has not ended with the stream")
				}
				synctest.Wait()
				for _, e := range []*Engine{d.here, d.there} {
					if n := e.Stats().Streams; n != 0 {
						t.Errorf("%s has %d streams left", e.ID(), n)
					}
					if _, handlers := e.conns.current().streamTable().len(); handlers != 0 {
						t.Errorf("%s has %d handlers left", e.ID(), handlers)
					}
				}
			})
		})
	}
}

// Whoever hears that the session ends is done with its streams, so how these have
// ended must come first.
func TestEndsOfStreamsComeBeforeThatOfTheSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := streamUnit(t, nil, nil)
		u.prove()
		u.sess.conns.life.move(Preparing, Open)
		openOn(t, u)
		u.sess.End(ErrShutdown)
		<-u.net.closed
		var sent []string
		for _, m := range u.net.messages(t) {
			sent = append(sent, message.TypeText(m.Mtype())+" "+m.ServiceMethod())
		}
		want := []string{message.TypeText(message.TypeStreamOpen) + " /s", message.TypeText(message.TypeStreamEnd) + " ", message.TypeText(message.TypePush) + " " + controlEnd}
		if !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
	})
}

// The opener's deadline is also the handler's, whichever side notices it first.
func TestDeadlineOfAStream(t *testing.T) {
	left := make(chan time.Duration, 1)
	ended := make(chan error, 1)
	h := streamHandler(func(ctx CallCtx, s *Stream) *message.Status {
		end, _ := s.Context().Deadline()
		left <- time.Until(end)
		<-s.Context().Done()
		<-s.Done()
		ended <- s.Context().Err()
		return nil
	})
	duets(t, routes{stream: h}, func(d *duet) {
		ctx, cancel := context.WithTimeout(d.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		s := d.open(ctx)
		if got := <-left; got <= 0 || got > 3*time.Second+time.Millisecond {
			t.Errorf("the handler has %v left", got)
		}
		err := s.Recv(new(int))
		if code(err) != message.CodeHandleTimeout || time.Since(start) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if err := <-ended; err == nil {
			t.Error("the handler's context goes on")
		}
	})
}

func TestStreamsThatAreNotOpened(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Routes
		gone bool // the context has ended
		set  duetSetting
		want int32 // of OpenStream, or of Recv
	}{
		{"context", routes{}, true, nil, message.CodeCanceled},
		{"no handler", routes{}, false, nil, message.CodeNotFound},
		{"no memory here", routes{}, false, func(here, _ *Shared) { here.streamMemory = stream.NewMemory(1) }, message.CodeExhausted},
		{"no memory there", routes{}, false, func(_, there *Shared) { there.streamMemory = stream.NewMemory(1) }, message.CodeExhausted},
	} {
		t.Run(c.name, func(t *testing.T) {
			duets(t, c.r, func(d *duet) {
				ctx, cancel := context.WithCancel(d.Context())
				defer cancel()
				if c.gone {
					cancel()
				}
				s, st := d.here.OpenStream(ctx, "/s")
				if st.OK() {
					st = message.FromError(s.Recv(new(int)))
				}
				if st.Code() != c.want {
					t.Errorf("got %v, want code %d", st, c.want)
				}
				synctest.Wait()
				if a, b := d.here.Stats().Streams, d.there.Stats().Streams; a != 0 || b != 0 {
					t.Errorf("%d and %d streams are left", a, b)
				}
			}, append([]duetSetting{}, func(a, b *Shared) {
				if c.set != nil {
					c.set(a, b)
				}
			})...)
		})
	}
}

func TestNoMoreStreamsThanAllowed(t *testing.T) {
	release := make(chan struct{})
	h := streamHandler(func(CallCtx, *Stream) *message.Status { <-release; return nil })
	duets(t, routes{stream: h}, func(d *duet) {
		release = make(chan struct{}) // of the bubble
		a, b := d.open(d.Context()), d.open(d.Context())
		c := d.open(d.Context())
		if err := c.Recv(new(int)); code(err) != message.CodeExhausted {
			t.Errorf("the third: %v", err)
		}
		close(release)
		for _, s := range []*Stream{a, b} {
			if err := s.Recv(new(int)); err != io.EOF {
				t.Error(err)
			}
		}
		// Their places are free when their ends arrive.
		if err := d.open(d.Context()).Recv(new(int)); err != io.EOF {
			t.Errorf("one more: %v", err)
		}
	}, func(_, there *Shared) { there.MaxStreams = 2 })
}

// A handler with a limit refuses more streams than that, as it refuses calls.
func TestLimitOfAStreamHandler(t *testing.T) {
	var release chan struct{}
	h := streamHandler(func(CallCtx, *Stream) *message.Status { <-release; return nil })
	h.SetLimit(1)
	duets(t, routes{stream: h}, func(d *duet) {
		release = make(chan struct{})
		a := d.open(d.Context())
		synctest.Wait()
		if err := d.open(d.Context()).Recv(new(int)); code(err) != message.CodeExhausted {
			t.Errorf("the second: %v", err)
		}
		close(release)
		if err := a.Recv(new(int)); err != io.EOF {
			t.Error(err)
		}
		if err := d.open(d.Context()).Recv(new(int)); err != io.EOF {
			t.Errorf("the third: %v", err)
		}
	})
}

// A sender waits for the receiver's program, and nothing else does.
func TestASenderIsHeldBack(t *testing.T) {
	take := make(chan int)
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		for n := range take {
			for range n {
				if err := s.Recv(new([]byte)); err != nil {
					return message.FromError(err)
				}
			}
		}
		return nil
	})
	body := make([]byte, 32<<10)
	duets(t, routes{stream: h}, func(d *duet) {
		take = make(chan int)
		s := d.open(d.Context())
		defer s.Close()
		sent := 0
		sends := make(chan error, 1)
		go func() {
			for {
				err := s.Send(body)
				if err != nil {
					sends <- err
					return
				}
				sent++
			}
		}()
		synctest.Wait()
		before := sent
		if most := stream.InitialWindow/len(body) + 1; before == 0 || before > most {
			t.Fatalf("%d messages were sent to a program that takes none, want at most %d", before, most)
		}
		if got := d.there.Stats().Streams; got != 1 {
			t.Errorf("%d streams", got)
		}
		take <- before
		synctest.Wait()
		if sent == before {
			t.Error("nothing was sent after the program took what there was")
		}
		// One that gives up leaves the stream whole.
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		if err := s.SendContext(ctx, body); code(err) != message.CodeHandleTimeout {
			t.Errorf("a send with a deadline: %v", err)
		}
		now := sent
		take <- now - before
		synctest.Wait()
		if sent == now {
			t.Error("the stream is not whole")
		}
		close(take) // the handler returns, which ends the sending
		if err := <-sends; err != io.EOF {
			t.Errorf("the sender got %v", err)
		}
	})
}

func TestReceivingThatGivesUpLeavesTheStreamWhole(t *testing.T) {
	go1 := make(chan struct{})
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		<-go1
		return message.FromError(s.Send("late"))
	})
	duets(t, routes{stream: h}, func(d *duet) {
		go1 = make(chan struct{})
		s := d.open(d.Context())
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		if err := s.RecvContext(ctx, new(string)); code(err) != message.CodeHandleTimeout {
			t.Errorf("got %v", err)
		}
		close(go1)
		var got string
		if err := s.Recv(&got); err != nil || got != "late" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestWhatARecvFills(t *testing.T) {
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		for _, size := range []int{3, 2, minKept + 1, 0, 4} {
			if err := s.Send(slices.Repeat([]byte{'x'}, size)); err != nil {
				return message.FromError(err)
			}
		}
		return message.FromError(errors.Join(s.Send("not a number"), s.Send(7)))
	})
	duets(t, routes{stream: h}, func(d *duet) {
		s := d.open(d.Context())
		defer s.Close()
		var first, b []byte
		if err := s.Recv(&first); err != nil || string(first) != "xxx" {
			t.Errorf("%q, %v", first, err)
		}
		b = first
		if err := s.Recv(&b); err != nil || string(b) != "xx" || string(first) != "xxx" {
			t.Errorf("%q, %v; the one before is %q and the caller's", b, err, first)
		}
		room := make([]byte, 1, minKept+100)
		into := room
		if err := s.RecvInto(d.Context(), &into); err != nil || len(into) != minKept+1 || &into[0] != &room[0] {
			t.Errorf("%d bytes, %v; not in the room there was", len(into), err)
		}
		if err := s.RecvInto(d.Context(), &into); err != nil || len(into) != 0 || cap(into) != cap(room) {
			t.Errorf("an empty message: %d bytes in %d, %v", len(into), cap(into), err)
		}
		var text string
		if err := s.Recv(&text); code(err) != message.CodeBadMessage {
			t.Errorf("bytes that are not JSON: %q, %v", text, err)
		}
		var n int
		if err := s.Recv(&n); code(err) != message.CodeBadMessage {
			t.Errorf("a text for a number: %d, %v", n, err)
		}
		if err := s.RecvInto(d.Context(), &n); err != nil || n != 7 { // what can't be decoded ends nothing
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
		s := d.open(d.Context())
		defer s.Close()
		if err := s.Send(func() {}); code(err) != message.CodeWriteFailed {
			t.Errorf("a function: %v", err)
		}
		if err := s.Send(strings.Repeat("x", 1<<10)); code(err) != message.CodeTooLarge {
			t.Errorf("a large message: %v", err)
		}
		var n int
		if err := errors.Join(s.Send(5), s.Recv(&n)); err != nil || n != 5 {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	}, func(here, _ *Shared) { here.StreamMessageLimit = 1 << 10 })
}

// What is too large for the receiver ends the stream, and no other.
func TestTooLargeForTheReceiver(t *testing.T) {
	duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
		s, other := d.open(d.Context()), d.open(d.Context())
		defer other.Close()
		if err := s.Send(strings.Repeat("x", 1<<10)); err != nil {
			t.Fatal(err)
		}
		if err := s.Recv(new(int)); code(err) != message.CodeTooLarge {
			t.Errorf("got %v", err)
		}
		var n int
		if err := errors.Join(other.Send(5), other.Recv(&n)); err != nil || n != 5 {
			t.Errorf("the other stream: %d, %v", n, err)
		}
	}, func(_, there *Shared) { there.StreamMessageLimit = 1 << 10 })
}

func TestAHandlerEndsItsStreamByReturning(t *testing.T) {
	errs := make(chan error, 2)
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		errs <- s.CloseSend()
		errs <- s.Close() // drops what was received, and no more
		if err := s.Recv(new(int)); code(err) != message.CodeUnknownError {
			t.Errorf("after Close in the handler: %v", err)
		}
		return message.FromError(s.Send(1))
	})
	duets(t, routes{stream: h}, func(d *duet) {
		s := d.open(d.Context())
		if err := <-errs; err == nil || !strings.Contains(err.Error(), "by returning") {
			t.Errorf("CloseSend in a handler: %v", err)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		var n int
		if err := s.Recv(&n); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if err := s.Recv(&n); err != io.EOF {
			t.Error(err)
		}
	})
}

// The programs of both sides are told of a shutdown of either, and may finish.
func TestDrainingOfAStream(t *testing.T) {
	for _, side := range []string{"opener", "handler"} {
		t.Run(side, func(t *testing.T) {
			told := make(chan struct{}, 1)
			h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
				<-s.Draining()
				told <- struct{}{}
				return message.FromError(s.Send("bye"))
			})
			duets(t, routes{stream: h}, func(d *duet) {
				s := d.open(d.Context())
				synctest.Wait()
				select {
				case <-s.Draining():
					t.Error("it drains already")
				default:
				}
				drains := d.there
				if side == "opener" {
					drains = d.here
				}
				drains.Drain()
				<-s.Draining()
				<-told
				var bye string
				if err := s.Recv(&bye); err != nil || bye != "bye" {
					t.Errorf("%q, %v", bye, err)
				}
				if err := s.Recv(&bye); err != io.EOF {
					t.Error(err)
				}
				if side == "handler" {
					late, st := d.here.OpenStream(d.Context(), "/s")
					if st.OK() {
						st = message.FromError(late.Recv(&bye))
					}
					if c := st.Code(); c != message.CodeShuttingDown && c != message.CodeConnClosed {
						t.Errorf("a stream opened meanwhile: %v", st)
					}
				}
			})
		})
	}
}

// Many streams of one connection, in both directions at once: each gets its own
// messages in their order.
func TestStreamsSideBySide(t *testing.T) {
	duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
		const streams, messages = 20, 50
		done := make(chan error, streams)
		for i := range streams {
			s := d.open(d.Context())
			go func() {
				defer s.Close()
				for n := range messages {
					want, got := i*messages+n, -1
					if err := errors.Join(s.Send(want), s.Recv(&got)); err != nil || got != want {
						done <- fmt.Errorf("stream %d: got %d, want %d: %w", i, got, want, err)
						return
					}
				}
				if err := s.CloseSend(); err != nil {
					done <- err
					return
				}
				if err := s.Recv(new(int)); err != io.EOF {
					done <- err
					return
				}
				done <- nil
			}()
		}
		for range streams {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestPlaceOfAStreamWhoseHandlerExits is free for the next stream.
func TestPlaceOfAStreamWhoseHandlerExits(t *testing.T) {
	h := streamHandler(func(CallCtx, *Stream) *message.Status { runtime.Goexit(); return nil })
	duets(t, routes{stream: h}, func(d *duet) {
		for n := range 5 {
			if st := d.open(d.Context()).Status(); st.Code() != message.CodeInternalServerError {
				d.Errorf("stream %d: %v", n, st)
			}
			synctest.Wait()
		}
		if open, handlers := d.there.conns.current().streams.Load().len(); open != 0 || handlers != 0 {
			d.Errorf("%d streams are open, %d handlers at work", open, handlers)
		}
	}, func(_, there *Shared) { there.MaxStreams = 1 })
}
