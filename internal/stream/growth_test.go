package stream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A link is a connection that several streams share.
type link struct {
	rate  int64         // bytes a second
	delay time.Duration // one way
	turn  chan struct{} // has a value while no stream sends
}

// A flow is a stream over a link, whose sender always has something to send.
type flow struct {
	window  *Window
	inbox   *Inbox[int]
	message int64         // bytes of each message
	work    time.Duration // of the receiving program, for each message
	arrived atomic.Int64  // bytes
	ended   sync.WaitGroup
}

func (f *flow) run(ctx context.Context, t *testing.T, l *link) {
	f.ended.Go(func() {
		for i := 0; ; i++ {
			full, err := f.window.Acquire(ctx, f.message)
			if err != nil {
				return
			}
			<-l.turn
			time.Sleep(time.Duration(f.message * int64(time.Second) / l.rate))
			l.turn <- struct{}{}
			time.AfterFunc(l.delay, func() {
				if err := f.inbox.Put(i, f.message, full); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
	})
	f.ended.Go(func() {
		for {
			_, credit, due, err := f.inbox.Take(ctx)
			if err != nil {
				return
			}
			f.arrived.Add(f.message)
			time.Sleep(f.work)
			if due {
				time.AfterFunc(l.delay, func() {
					if err := f.window.Credit(credit.Count, credit.Window); err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
}

// A window grows as far as the round trip requires, so that one stream fills a
// long connection but does not fill the queues of a short one.
func TestWindowsGrowWithTheRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    int64
		delay   time.Duration
		flows   int
		message int64
		work    time.Duration

		use  float64 // how much of the rate is used in the end, at least
		most int64   // the largest window
	}{
		{"loopback, small messages", 100 << 20, 25 * time.Microsecond, 1, 256, 0, 0.9, 128 << 10},
		{"loopback, large messages", 1 << 30, 25 * time.Microsecond, 1, 64 << 10, 0, 0.5, 256 << 10},
		{"loopback, four streams", 100 << 20, 25 * time.Microsecond, 4, 256, 0, 0.9, 256 << 10},
		{"a network of a building", 100 << 20, 250 * time.Microsecond, 1, 16 << 10, 0, 0.8, 256 << 10},
		{"across a continent", 10 << 20, 25 * time.Millisecond, 1, 16 << 10, 0, 0.8, 2 << 20},
		{"around the world", 10 << 20, 150 * time.Millisecond, 1, 16 << 10, 0, 0.8, MaxWindow},
		{"a slow program far away", 10 << 20, 25 * time.Millisecond, 1, 16 << 10, time.Second / 64, 0.09, 256 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				l := &link{rate: c.rate, delay: c.delay, turn: make(chan struct{}, 1)}
				l.turn <- struct{}{}
				flows := make([]flow, c.flows)
				for i := range flows {
					f := &flows[i]
					f.window, f.inbox, f.message, f.work = NewWindow(InitialWindow, nil), newInbox(t, NewMemory(0)), c.message, c.work
					f.run(ctx, t, l)
				}
				time.Sleep(200 * c.delay)
				before := int64(0)
				for i := range flows {
					before += flows[i].arrived.Load()
				}
				measured := 20*c.delay + 10*time.Millisecond
				time.Sleep(measured)
				after, window := int64(0), int64(0)
				for i := range flows {
					after += flows[i].arrived.Load()
					flows[i].inbox.mu.Lock()
					window = max(window, flows[i].inbox.window)
					flows[i].inbox.mu.Unlock()
				}
				cancel(errors.New("the end"))
				for i := range flows {
					flows[i].ended.Wait()
				}
				time.Sleep(2 * c.delay) // messages in flight arrive
				use := float64(after-before) / (float64(c.rate) * measured.Seconds())
				t.Logf("%.2f of the rate, windows of %d KiB", use, window>>10)
				if use < c.use {
					t.Errorf("%.2f of the rate is used, less than %.2f", use, c.use)
				}
				if window > c.most {
					t.Errorf("a window of %d KiB, more than %d", window>>10, c.most>>10)
				}
			})
		})
	}
}

// A single window that is taken in an instant proves nothing, nor does one after a
// pause of the sender.
func TestOneShortWindowIsChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := growth{}
		offset := int64(0)
		use := func(after time.Duration) bool {
			time.Sleep(after)
			offset += InitialWindow
			return g.usedUp(offset, InitialWindow)
		}
		g.credited(InitialWindow)
		time.Sleep(10 * time.Millisecond)
		g.arrived(InitialWindow - 1) // it did not need the credit
		if g.roundTrip != 0 {
			t.Errorf("a round trip of %v from a message that did not wait", g.roundTrip)
		}
		g.arrived(InitialWindow)
		if g.roundTrip != 10*time.Millisecond {
			t.Errorf("a round trip of %v, want 10ms", g.roundTrip)
		}
		for i, c := range []struct {
			after time.Duration
			want  bool
		}{
			{0, false}, // the first
			{time.Millisecond, false},
			{30 * time.Millisecond, false},
			{time.Millisecond, false},
			{19 * time.Millisecond, true}, // the second in a row
			{time.Millisecond, false},
			{20 * time.Millisecond, false}, // two round trips
		} {
			if got := use(c.after); got != c.want {
				t.Errorf("step %d: it grows: %v", i, got)
			}
		}
	})
}

// The round trip is the shortest that was measured, each from one credit to the
// first message that it has allowed.
func TestTheShortestRoundTripCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g growth
		for _, c := range []struct{ took, want time.Duration }{
			{10 * time.Millisecond, 10 * time.Millisecond},
			{5 * time.Millisecond, 5 * time.Millisecond},
			{20 * time.Millisecond, 5 * time.Millisecond},
		} {
			g.credited(100)
			time.Sleep(c.took / 2)
			g.credited(200) // another is measured already
			g.arrived(99)   // the sender did not need the credit for that
			time.Sleep(c.took / 2)
			g.arrived(100)
			if g.roundTrip != c.want {
				t.Errorf("a round trip of %v: the shortest is %v, want %v", c.took, g.roundTrip, c.want)
			}
		}
	})
}
