package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
)

func TestSubscribe(t *testing.T) {
	for _, c := range []struct {
		name  string
		r     Routes
		n     int
		leave int
		want  []int
		code  int32
	}{
		{"all", routes{stream: streamHandler(count)}, 3, -1, []int{0, 1, 2}, 0},
		{"left early", routes{stream: streamHandler(count)}, 50, 1, []int{0}, 0},
		{"the handler fails", routes{stream: streamHandler(count)}, -1, -1, nil, 1234},
		{"the handler does not read", routes{stream: streamHandler(func(_ CallCtx, s *Stream) *message.Status {
			return message.FromError(s.Send(7))
		})}, 3, -1, []int{7}, 0},
		{"no handler", routes{}, 3, -1, nil, message.CodeNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			duets(t, c.r, func(d *duet) {
				var got []int
				var last int32
				for m, err := range Subscribe[int](d.Context(), d.here, "/s", &c.n) {
					if err != nil {
						last = code(err)
						break
					}
					got = append(got, *m)
					if len(got) == c.leave {
						break
					}
				}
				if !slices.Equal(got, c.want) || last != c.code {
					d.Errorf("got %v and code %d, want %v and %d", got, last, c.want, c.code)
				}
			})
		})
	}
}

// A flakyOpener opens streams that end in ways that a script gives.
type flakyOpener struct {
	to     StreamOpener
	refuse []*message.Status // of the first attempts; nil: it opens
	at     []time.Time
}

func (f *flakyOpener) OpenStream(ctx context.Context, method string, settings ...message.Setting) (*Stream, *message.Status) {
	f.at = append(f.at, time.Now())
	if len(f.refuse) > 0 {
		st := f.refuse[0]
		f.refuse = f.refuse[1:]
		if st != nil {
			return nil, st
		}
	}
	return f.to.OpenStream(ctx, method, settings...)
}

// A subscription goes on where it was, with pauses that grow while nothing comes.
func TestSubscribeFromGoesOn(t *testing.T) {
	draining := newStatus(message.CodeShuttingDown, errors.New("elsewhere, please"))
	// Each stream yields two messages and is then lost, until the position is 6.
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		var from int
		if err := s.Recv(&from); err != nil {
			return message.FromError(err)
		}
		for i := from; i < from+2; i++ {
			if err := s.Send(i); err != nil {
				return message.FromError(err)
			}
		}
		if from < 4 {
			return draining
		}
		return nil
	})
	duets(t, routes{stream: h}, func(d *duet) {
		o := &flakyOpener{to: d.here, refuse: []*message.Status{nil, draining, draining, draining, nil}}
		var got []int
		next := func(last *int) *int {
			from := 0
			if last != nil {
				from = *last + 1
			}
			return &from
		}
		for m, err := range SubscribeFrom(d.Context(), o, "/s", next) {
			if err != nil {
				d.Fatal(err)
			}
			got = append(got, *m)
		}
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(got, want) {
			d.Errorf("got %v, want %v", got, want)
		}
		var pauses []time.Duration
		for i := 1; i < len(o.at); i++ {
			pauses = append(pauses, o.at[i].Sub(o.at[i-1]).Round(10*time.Millisecond))
		}
		first := resubscribeFirst
		if want := []time.Duration{first, 2 * first, 4 * first, 8 * first, first}; !slices.Equal(pauses, want) {
			d.Errorf("pauses of %v, want %v", pauses, want)
		}
	})
}

func TestSubscribeFromEnds(t *testing.T) {
	moving := newStatus(message.CodeShuttingDown, errors.New("elsewhere, please"))
	for _, c := range []struct {
		name string
		st   *message.Status
		ctx  time.Duration
		want int32
	}{
		{"the session has ended", newStatus(message.CodeConnClosed, errors.New("gone")), time.Hour, message.CodeConnClosed},
		{"the handler fails", message.NewStatus(1234, "no"), time.Hour, 1234},
		{"the context ends", moving, time.Minute, message.CodeHandleTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := contextFor(t, c.ctx)
				defer cancel()
				o := &flakyOpener{refuse: slices.Repeat([]*message.Status{c.st}, 1000)}
				var errs []error
				for m, err := range SubscribeFrom(ctx, o, "/s", func(*int) *int { return new(int) }) {
					if m != nil {
						t.Errorf("got %v", *m)
					}
					errs = append(errs, err)
				}
				if len(errs) != 1 || code(errs[0]) != c.want {
					t.Errorf("got %v, want one error with code %d", errs, c.want)
				}
				for i := 1; i < len(o.at); i++ {
					if pause := o.at[i].Sub(o.at[i-1]); pause > resubscribeLongest {
						t.Errorf("a pause of %v", pause)
					}
				}
			})
		})
	}
}

// A lateOpener hands a stream over when its handler has ended.
type lateOpener struct{ to StreamOpener }

func (o lateOpener) OpenStream(ctx context.Context, method string, settings ...message.Setting) (*Stream, *message.Status) {
	s, st := o.to.OpenStream(ctx, method, settings...)
	synctest.Wait()
	return s, st
}

// What a handler has sent arrives in front of its status, even if that was there
// before the argument was sent.
func TestSubscribeToAHandlerThatHasEnded(t *testing.T) {
	h := streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		for i := range 2 {
			if err := s.Send(i); err != nil {
				return message.FromError(err)
			}
		}
		return message.NewStatus(1234, "no")
	})
	duets(t, routes{stream: h}, func(d *duet) {
		var got []int
		var end error
		for m, err := range Subscribe[int](d.Context(), lateOpener{d.here}, "/s", new(int)) {
			if err != nil {
				end = err
				break
			}
			got = append(got, *m)
		}
		if !slices.Equal(got, []int{0, 1}) || code(end) != 1234 {
			d.Errorf("got %v, and then %v", got, end)
		}
	})
}

// A subscription goes on if its session will be back, and ends if it won't.
func TestSubscribeFromAsksWhetherTheSessionComesBack(t *testing.T) {
	gone := newStatus(message.CodeConnClosed, errConnClosed)
	for _, healthy := range []bool{true, false} {
		duets(t, routes{stream: streamHandler(count)}, func(d *duet) {
			flaky := &flakyOpener{to: d.here, refuse: []*message.Status{gone, gone, nil}}
			var got []int
			var last error
			for m, err := range SubscribeFrom(d.Context(), healthyOpener{flaky, healthy}, "/s", func(*int) *int { n := 2; return &n }) {
				if err != nil {
					last = err
					continue
				}
				got = append(got, *m)
			}
			want := []int{0, 1}
			if !healthy {
				want = nil
			}
			if !slices.Equal(got, want) || (last == nil) != healthy {
				d.Errorf("healthy %v: got %v, then %v", healthy, got, last)
			}
		})
	}
}
