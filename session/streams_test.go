package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
)

// The table of streams behaves like a plain list.
func TestTableOfStreamsAgainstAModel(t *testing.T) {
	const most = 4
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		var table streams
		open, ends := map[int32]*Stream{}, map[int32]*Stream{}
		var handled []*Stream // whose end is being written
		accepted, ending, closed, lastID := 0, 0, false, int32(0)
		if seed%3 == 0 {
			lastID = math.MaxInt32 - 3 // the ids wrap
			table.lastID = lastID
		}
		for step := range 400 {
			what := ""
			switch r.IntN(10) {
			case 0, 1, 2:
				s := new(Stream)
				ok := table.open(s)
				what = fmt.Sprint("open: ", ok, " ", s.key)
				if ok == closed {
					t.Fatalf("seed %d, step %d: %s", seed, step, what)
				}
				if !ok {
					break
				}
				for lastID++; ; lastID++ {
					if lastID <= 0 {
						lastID = 1
					}
					if open[-lastID] == nil {
						break
					}
				}
				if s.key != -lastID {
					t.Fatalf("seed %d, step %d: the key is %d, want %d", seed, step, s.key, -lastID)
				}
				open[s.key] = s
			case 3, 4, 5:
				s := &Stream{key: int32(r.IntN(12)) - 2}
				draining := r.IntN(10) == 0
				err := table.accept(s, most, draining)
				what = fmt.Sprintf("accept %d, draining %v: %v", s.key, draining, err)
				var want error
				switch {
				case s.key <= 0 || open[s.key] != nil:
					want = errStreamID
				case closed:
					want = errConnClosed
				case draining:
					want = errStreamsDraining
				case accepted >= most || int64(accepted+ending) >= maxHeld(most):
					want = errTooManyStreams
				}
				if !errors.Is(err, want) {
					t.Fatalf("seed %d, step %d: %s, want %v", seed, step, what, want)
				}
				if err == nil {
					open[s.key] = s
					accepted++
				}
			case 6:
				for _, s := range open { // any
					table.remove(s)
					table.remove(&Stream{key: s.key}) // another one of that key is not in the table
					delete(open, s.key)
					what = fmt.Sprint("remove ", s.key)
					break
				}
			case 7:
				if accepted > 0 {
					what = "handler done"
					table.handlerDone()
					accepted, ending = accepted-1, ending+1
					s := &Stream{key: int32(r.IntN(12)) - 2} // another one of that key does not retire
					if open[s.key] != nil && s.key > 0 && r.IntN(2) == 0 {
						s = open[s.key]
						delete(open, s.key)
						ends[s.key] = s
					}
					table.retire(s)
					handled = append(handled, s)
				}
			case 8:
				if ending > 0 {
					s := handled[r.IntN(len(handled))]
					if r.IntN(2) == 0 {
						what = fmt.Sprint("forget ", s.key)
						table.forget(s)
					} else {
						what = fmt.Sprint("release ", s.key)
						table.release(s)
						handled = slices.DeleteFunc(handled, func(other *Stream) bool { return other == s })
						ending--
					}
					if ends[s.key] == s {
						delete(ends, s.key)
					}
				}
			case 9:
				if step > 300 {
					what = "close"
					table.close()
					closed = true
				}
			}
			n, handlers := table.len()
			if n != len(open) || handlers != accepted+ending || len(table.all()) != n+len(ends) {
				t.Fatalf("seed %d, step %d, %s: %d open and %d handlers, want %d and %d", seed, step, what, n, handlers, len(open), accepted+ending)
			}
			for key, s := range open {
				if table.get(key) != s {
					t.Fatalf("seed %d, step %d: key %d is %p, want %p", seed, step, key, table.get(key), s)
				}
			}
			for key, s := range ends {
				if !table.awaited(s) || open[key] == nil && table.get(key) != s {
					t.Fatalf("seed %d, step %d, %s: the end of %d is not awaited, or %p is in its place", seed, step, what, key, table.get(key))
				}
			}
			for _, s := range handled {
				if table.awaited(s) != (ends[s.key] == s) {
					t.Fatalf("seed %d, step %d, %s: the end of %d is awaited: %v", seed, step, what, s.key, table.awaited(s))
				}
			}
		}
		for _, s := range table.all() {
			table.remove(s)
			table.forget(s)
		}
		if table.byKey != nil || table.ends != nil {
			t.Errorf("seed %d: an empty table keeps its map", seed)
		}
	}
}

// streamUnit returns a connection whose other side is the test, and is known to
// support streams.
func streamUnit(t *testing.T, h *Handler, set func(*Shared)) *unit {
	u := newUnit(t, routes{stream: h}, set)
	u.streamTable().caps.prove(capStreams)
	return u
}

// frame handles a frame of a stream as the goroutine that reads does.
func (u *unit) frame(mtype byte, seq int32, method string, body any, set ...message.Setting) error {
	x := u.inbound(mtype, seq, method, body, set...)
	x.role = roleInbound // as accept does, so that what the handler leaves in x is reset
	kept, err := u.streamFrame(x)
	if !kept {
		putExchange(x)
	}
	return err
}

// Frames that break the rules cost the other side the stream or the connection,
// and affect nothing else.
func TestFramesThatFollowNoRule(t *testing.T) {
	type send struct {
		mtype  byte
		seq    int32
		method string
		body   any
	}
	open := func(seq int32) send { return send{mtype: message.TypeStreamOpen, seq: seq, method: "/s"} }
	large := make([]byte, 60<<10)
	many := func(n int) (all []send) {
		all = append(all, open(1))
		for range n {
			all = append(all, send{mtype: message.TypeStreamData, seq: 1, body: large})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		frames []send
		want   []int32 // codes of the ends that were sent
	}{
		{"data of no stream", []send{{mtype: message.TypeStreamData, seq: 7, body: 1}}, nil},
		{"the end of no stream", []send{{mtype: message.TypeStreamEnd, seq: 7}}, nil},
		{"credit of no stream", []send{{mtype: message.TypeStreamCredit, seq: 7, method: "1.1"}}, nil},
		{"an id of this side", []send{open(-1)}, []int32{message.CodeBadMessage}},
		{"the id 0", []send{open(0)}, []int32{message.CodeBadMessage}},
		{"an id that is taken", []send{open(1), open(1)}, []int32{message.CodeBadMessage}},
		{"more streams than allowed", []send{open(1), open(2), open(3)}, []int32{message.CodeExhausted}},
		{"an invalid credit", []send{open(1), {mtype: message.TypeStreamCredit, seq: 1, method: "much"}}, []int32{message.CodeBadMessage}},
		{"a credit for what was not sent", []send{open(1), {mtype: message.TypeStreamCredit, seq: 1, method: "9.100"}}, []int32{message.CodeBadMessage}},
		{"a message that is too large", []send{open(1), {mtype: message.TypeStreamData, seq: 1, body: make([]byte, 200<<10)}}, []int32{message.CodeTooLarge}},
		{"more than the window", many(2 * stream.InitialWindow / len(large)), []int32{message.CodeBadMessage}},
		{"data after the end", []send{open(1), {mtype: message.TypeStreamEnd, seq: 1}, {mtype: message.TypeStreamData, seq: 1, body: 1}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				u := streamUnit(t, streamHandler(func(_ CallCtx, s *Stream) *message.Status {
					<-s.Context().Done()
					return nil
				}), func(sh *Shared) {
					sh.MaxStreams = 2
					sh.StreamMessageLimit = 128 << 10
				})
				for _, f := range c.frames {
					if err := u.frame(f.mtype, f.seq, f.method, f.body); err != nil {
						t.Fatalf("%+v ends the connection: %v", f, err)
					}
				}
				synctest.Wait()
				var got []int32
				for _, m := range u.sent() {
					if m.Mtype() == message.TypeStreamEnd {
						got = append(got, m.Status().Code())
					}
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("ends with the codes %v were sent, want %v", got, c.want)
				}
				_ = u.close(errors.New("the end of the test"))
				synctest.Wait()
				if n, handlers := u.streamTable().len(); n != 0 || handlers != 0 {
					t.Errorf("%d streams and %d handlers are left", n, handlers)
				}
			})
		})
	}
}

func TestFramesOfASideWithoutStreams(t *testing.T) {
	u := newUnit(t, routes{}, nil)
	for _, known := range []bool{false, true} { // nothing is known of it; it can do something else
		if known {
			u.streamTable().caps.prove(capStreams << 1)
		}
		var wrong *mtypeError
		if err := u.frame(message.TypeStreamOpen, 1, "/s", nil); !errors.As(err, &wrong) {
			t.Errorf("got %v", err)
		}
	}
	u.sentNothing("frames that end the connection")
}

// The other side may open a stream as soon as it has read the question of this
// side: before its answer arrives, or after the asker has given up.
func TestStreamsBeforeTheAnswer(t *testing.T) {
	for _, gaveUp := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			u := newUnit(t, routes{}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan *message.Status, 1)
			go func() { done <- u.needStreams(ctx) }()
			synctest.Wait()
			q := u.sentOne()
			if gaveUp {
				cancel()
				if st := <-done; st.Code() != message.CodeCanceled {
					t.Errorf("given up: %v", st)
				}
			}
			if err := u.frame(message.TypeStreamOpen, 1, "/s", nil); err != nil {
				t.Errorf("given up %v: a frame ends the connection: %v", gaveUp, err)
			}
			synctest.Wait()
			if !gaveUp {
				u.answer(q.Seq(), formatCaps(capStreams, q.Seq()))
				if st := <-done; !st.OK() {
					t.Error(st)
				}
			}
		})
	}
}

// A stream that is opened while this side shuts down is refused, so that its
// opener tries elsewhere.
func TestStreamsOpenedWhileDraining(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := streamUnit(t, streamHandler(echo), nil)
		u.prove()
		u.drain()
		u.sentOne()
		if err := u.frame(message.TypeStreamOpen, 1, "/s", nil); err != nil {
			t.Fatal(err)
		}
		if m := u.sentOne(); m.Mtype() != message.TypeStreamEnd || m.Seq() != -1 || m.Status().Code() != message.CodeShuttingDown {
			t.Errorf("sent %v", m)
		}
	})
}

// A stream is forgotten when the other side has sent its end, or when the
// connection ends.
func TestStreamsOfAConnectionThatEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 1)
		u := streamUnit(t, streamHandler(func(_ CallCtx, s *Stream) *message.Status {
			var b []byte
			err := s.Recv(&b)
			for err == nil {
				err = s.Recv(&b)
			}
			ended <- err
			return nil
		}), nil)
		if err := u.frame(message.TypeStreamOpen, 1, "/s", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_ = u.close(errors.New("cut"))
		if err := <-ended; code(err) != message.CodeConnClosed {
			t.Errorf("the handler got %v", err)
		}
		s, err := newStream(u.conn, "/late", 'j', nil)
		if err != nil {
			t.Fatal(err)
		}
		if u.streamTable().open(s) {
			t.Error("a stream was opened on a connection that has ended")
		}
	})
}

// A table that is made while the connection ends is closed, whichever comes first.
func TestTableMadeAfterTheEnd(t *testing.T) {
	u := newUnit(t, routes{}, nil)
	_ = u.close(nil)
	if err := u.streamTable().accept(&Stream{key: 1}, 0, false); !errors.Is(err, errConnClosed) {
		t.Errorf("got %v", err)
	}
}

func TestFormOfACredit(t *testing.T) {
	for _, c := range []struct {
		text string
		want stream.Credit
		ok   bool
	}{
		{"0.1", stream.Credit{Count: 0, Window: 1}, true},
		{"12.262144", stream.Credit{Count: 12, Window: 262144}, true},
		{"18446744073709551615.9223372036854775807", stream.Credit{Count: math.MaxUint64, Window: math.MaxInt64}, true},
		{"", stream.Credit{}, false},
		{"1", stream.Credit{}, false},
		{"1.", stream.Credit{}, false},
		{".1", stream.Credit{}, false},
		{"-1.1", stream.Credit{}, false},
		{"1.0", stream.Credit{}, false},
		{"1.-5", stream.Credit{}, false},
		{"1.2.3", stream.Credit{}, false},
		{"18446744073709551616.1", stream.Credit{}, false},
	} {
		got, err := parseCredit(c.text)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%q is %v, %v; want %v", c.text, got, err, c.want)
		}
		if c.ok && formatCredit(got) != c.text {
			t.Errorf("%v is written %q, want %q", got, formatCredit(got), c.text)
		}
	}
}

// One question whether the other side supports streams is enough for all streams;
// it is asked again if no answer came.
func TestOneQuestionForManyStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnit(t, routes{}, nil)
		const many = 5
		done := make(chan *message.Status, many)
		ask := func() { done <- u.needStreams(t.Context()) }
		for range many {
			go ask()
		}
		synctest.Wait()
		q := u.sentOne()
		if q.ServiceMethod() != controlCaps || q.Mtype() != message.TypeCall {
			t.Fatalf("asked %v", q)
		}
		u.answer(q.Seq(), formatCaps(capStreams, q.Seq()))
		for range many {
			if st := <-done; !st.OK() {
				t.Error(st)
			}
		}
		ask()
		u.sentNothing("what is known")
		if st := <-done; !st.OK() {
			t.Error(st)
		}
	})
}

// answer is the reply to a call of this side.
func (u *unit) answer(seq int32, caps string) {
	x := u.inbound(message.TypeReply, seq, controlCaps, nil)
	if caps != "" {
		x.in.Meta().Set(metaCaps, caps)
	}
	if out := (&readLoop{c: u.conn, x: x}).accept(); out.keep {
		putExchange(x)
	}
}

func TestAnswersToTheQuestionOfStreams(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(u *unit, seq int32)
		want   int32 // of needStreams
		again  bool  // the next one asks
	}{
		{"it has them", func(u *unit, seq int32) { u.answer(seq, formatCaps(capStreams, seq)) }, message.CodeOK, false},
		{"it has something else", func(u *unit, seq int32) { u.answer(seq, formatCaps(capStreams<<1, seq)) }, message.CodeMtypeNotAllowed, false},
		{"a proxy is in between", func(u *unit, seq int32) { u.answer(seq, formatCaps(capStreams, seq+1)) }, message.CodeMtypeNotAllowed, false},
		{"it does not know", func(u *unit, seq int32) { u.answer(seq, "") }, message.CodeMtypeNotAllowed, false},
		{"it talks nonsense", func(u *unit, seq int32) { u.answer(seq, "1.x.2") }, message.CodeMtypeNotAllowed, false},
		{"it says nothing", func(*unit, int32) {}, message.CodeHandleTimeout, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				u := newUnit(t, routes{}, nil)
				done := make(chan *message.Status, 1)
				go func() {
					ctx, cancel := contextFor(t, time.Second)
					defer cancel()
					done <- u.needStreams(ctx)
				}()
				synctest.Wait()
				q := u.sentOne()
				c.answer(u, q.Seq())
				if st := <-done; st.Code() != c.want {
					t.Errorf("got %v, want code %d", st, c.want)
				}
				go func() {
					ctx, cancel := contextFor(t, time.Second)
					defer cancel()
					done <- u.needStreams(ctx)
				}()
				synctest.Wait()
				if asked := len(u.sent()) > 0; asked != c.again {
					t.Errorf("asked again: %v, want %v", asked, c.again)
				}
				<-done
			})
		})
	}
}

// The end of a session reads the same for its streams, whether the frames that end
// them are read first, or what the other side has said of the session.
func TestStreamsEndAsTheirSessionDoes(t *testing.T) {
	shut := message.NewStatus(message.CodeShuttingDown, "the peer is shut down", "")
	for _, c := range []struct {
		cause error
		want  int32
	}{
		{ErrShutdown, message.CodeShuttingDown},
		{&ClosedError{Status: shut, Reconnect: true}, message.CodeShuttingDown},
		{&ClosedError{Status: message.NewStatus(1234, "no", "")}, message.CodeConnClosed},
		{errConnClosed, message.CodeConnClosed},
	} {
		duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
			s := d.open(d.Context())
			synctest.Wait()
			_ = d.here.conns.current().close(c.cause)
			if err := s.Recv(new(int)); code(err) != c.want {
				t.Errorf("the stream ends with %v when its connection ends with %v; want code %d", err, c.cause, c.want)
			}
		})
	}
}

// What this side ends a session for is not replaced by the answer of the other side,
// which closes the connection before this side has.
func TestOwnCauseOutlivesTheAnswer(t *testing.T) {
	duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
		s := d.open(d.Context())
		synctest.Wait()
		if cause := d.here.conns.ended(); cause != nil {
			t.Errorf("the session has ended with %v", cause)
		}
		c := d.here.conns.current()
		was, _ := d.here.conns.life.end() // as finish does
		d.here.conns.end(was, ErrShutdown)
		d.here.connDown(c, errConnClosed) // the goroutine that reads is quicker
		if err := s.Recv(new(int)); code(err) != message.CodeShuttingDown {
			t.Errorf("the stream ends with %v, want code %d", err, message.CodeShuttingDown)
		}
	})
}
