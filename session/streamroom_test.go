package session

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// fill fills the queue and its reserve, to the last byte that a message can use, while
// the other side does not read.
func (u *unit) fill() {
	u.t.Helper()
	u.net.block()
	for _, size := range []int{512, 0} {
		for {
			m := message.New(message.WithBody(make([]byte, size)))
			m.SetMtype(message.TypePush)
			err := u.sock.Send(m, socket.Reserved, socket.FlushInline)
			if isFull(err) {
				break
			}
			if err != nil {
				u.t.Fatal(err)
			}
			synctest.Wait() // the leader has taken what was queued
		}
	}
}

// A write of a stream that waits for room, or behind one that does, ends with the
// stream and with its status. Nothing is written when there is room.
func TestWaitForRoomEndsWithTheStream(t *testing.T) {
	late := []byte("late")
	type send func(context.Context, *Stream) error
	own := send(func(ctx context.Context, s *Stream) error { return s.SendContext(ctx, late) })
	writes := map[string]send{
		"Send":                    func(_ context.Context, s *Stream) error { return s.Send(late) },
		"SendContext":             own,
		"SendContext without end": func(_ context.Context, s *Stream) error { return s.SendContext(context.Background(), late) },
		"SendContext of much":     func(ctx context.Context, s *Stream) error { return s.SendContext(ctx, make([]byte, maxShared)) },
		"CloseSend":               func(_ context.Context, s *Stream) error { return s.CloseSend() },
	}
	ends := map[string]struct {
		end  func(*unit, *Stream)
		code int32
	}{
		"the other side ends it": {func(u *unit, s *Stream) {
			if err := u.frame(message.TypeStreamEnd, s.key, "", nil, message.WithStatus(message.NewStatus(1001, ""))); err != nil {
				u.t.Error(err)
			}
		}, 1001},
		"Close":                  {func(_ *unit, s *Stream) { _ = s.Close() }, message.CodeCanceled}, // it never fails
		"the connection ends":    {func(u *unit, _ *Stream) { _ = u.conn.close(io.ErrUnexpectedEOF) }, message.CodeConnClosed},
		"the session shuts down": {func(u *unit, _ *Stream) { _ = u.conn.close(ErrShutdown) }, message.CodeShuttingDown},
	}
	for write, last := range writes {
		for how, end := range ends {
			for _, behind := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, behind another %v", write, how, behind), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						u := roomUnit(t, nil)
						s := openOn(t, u)
						u.sent()
						u.fill()
						sends := []send{last}
						if behind {
							sends = []send{own, last}
						}
						var results []chan error
						for _, send := range sends {
							result := make(chan error, 1)
							results = append(results, result)
							go func() { result <- send(t.Context(), s) }()
							synctest.Wait()
							if len(result) > 0 {
								t.Fatalf("it does not wait: %v", <-result)
							}
						}
						end.end(u, s)
						synctest.Wait()
						if st := s.Status(); st.Code() != end.code {
							t.Errorf("the stream has ended with %v, want %d", st, end.code)
						}
						for _, result := range results {
							if len(result) == 0 {
								t.Fatal("a write waits after the end of the stream")
							}
							err := <-result
							if err == nil && write == "CloseSend" {
								continue // there is nothing more to say
							}
							if code(err) != end.code {
								t.Errorf("got %v, want %d", err, end.code)
							}
						}
						u.wroteNothingOf(s)
					})
				})
			}
		}
	}
}

// roomUnit is a streamUnit with a small queue.
func roomUnit(t *testing.T, h *Handler) *unit {
	return streamUnit(t, h, func(sh *Shared) {
		cfg := *sh.Socket
		cfg.QueueLimit = 4 << 10
		sh.Socket = &cfg
	})
}

// wroteNothingOf lets the other side read and fails the test if it gets a message of s
// or its good end.
func (u *unit) wroteNothingOf(s *Stream) {
	u.t.Helper()
	u.net.unblock()
	synctest.Wait()
	for _, m := range u.net.messages(u.t) {
		if m.Seq() == -s.key && (m.Mtype() != message.TypeStreamEnd || m.StatusOK()) && m.Mtype() != message.TypePush {
			u.t.Errorf("%v was written after the end of the stream", m)
		}
	}
}

// The end that follows a handler's return waits for room only as long as the opener
// waits for it.
func TestEndOfAHandlerWaitsWithItsOpener(t *testing.T) {
	end := func(st *message.Status) func(*unit) {
		return func(u *unit) {
			if err := u.frame(message.TypeStreamEnd, 1, "", nil, message.WithStatus(st)); err != nil {
				u.t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		happens func(*unit)
		waits   bool
	}{
		"the opener ends it":       {end(message.NewStatus(message.CodeCanceled, "")), false},
		"the connection ends":      {func(u *unit) { _ = u.conn.close(io.ErrUnexpectedEOF) }, false},
		"the opener sends no more": {end(nil), true},
		"the opener opens another of its id": {func(u *unit) {
			end(message.NewStatus(message.CodeCanceled, ""))(u)
			if err := u.frame(message.TypeStreamOpen, 1, "/s", nil, message.WithSetMeta("stay", "1")); err != nil {
				u.t.Error(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				returning := make(chan struct{})
				u := roomUnit(t, streamHandler(func(_ CallCtx, s *Stream) *message.Status {
					if s.Meta().Has("stay") {
						<-s.Done()
						return nil
					}
					<-returning
					return nil
				}))
				ending := func() int {
					u.streamTable().mu.Lock()
					defer u.streamTable().mu.Unlock()
					return u.streamTable().ending
				}
				if err := u.frame(message.TypeStreamOpen, 1, "/s", nil); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				u.fill()
				close(returning)
				synctest.Wait()
				if n := ending(); n != 1 {
					t.Fatalf("%d ends wait for room", n)
				}
				c.happens(u)
				synctest.Wait()
				if n := ending(); (n == 1) != c.waits {
					t.Errorf("%d ends wait for room", n)
				}
				u.net.unblock()
				synctest.Wait()
				if n := ending(); n != 0 || u.streamTable().ends != nil {
					t.Errorf("%d ends wait, though there is room, %d are in the table", n, len(u.streamTable().ends))
				}
				written := 0
				for _, m := range u.net.messages(t) {
					if m.Mtype() == message.TypeStreamEnd {
						written++
					}
				}
				if (written == 1) != c.waits {
					t.Errorf("%d ends were written", written)
				}
			})
		})
	}
}
