package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func newInbox(t *testing.T, m *Memory) *Inbox[int] {
	t.Helper()
	b, err := NewInbox[int](m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b *Inbox[int], v int, charge int64, full bool) {
	t.Helper()
	if err := b.Put(v, charge, full); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, b *Inbox[int], want int) (c Credit, due bool) {
	t.Helper()
	v, c, due, err := b.Take(t.Context())
	if err != nil || v != want {
		t.Fatalf("took %d, %v; want %d", v, err, want)
	}
	return c, due
}

// Arrived is what was put in, taken or not.
func TestArrivedCountsWhatIsTakenAndWhatIsNot(t *testing.T) {
	b, err := NewInbox[int](new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := b.Put(i, 1, false); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, _, _, err := b.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.Arrived(); n != 5 {
		t.Errorf("%d have arrived, want 5", n)
	}
	b.Abort(errors.New("the end"))
	if n := b.Arrived(); n != 2 {
		t.Errorf("%d are not dropped, want 2", n)
	}
}

// Credit is due after half a window, after 64 messages, or when the sender says
// that it has used its window up; never for each message.
func TestWhenCreditIsDue(t *testing.T) {
	for _, c := range []struct {
		name   string
		charge int64
		full   bool
		due    int // after how many messages
	}{
		{"half a window", InitialWindow / 8, false, 4},
		{"many small messages", 256, false, maxUncredited},
		{"the sender waits", 256, true, 1},
		{"one large message", InitialWindow, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newInbox(t, NewMemory(0))
			for i := 1; ; i++ {
				put(t, b, i, c.charge, c.full)
				credit, due := take(t, b, i)
				if due != (i == c.due) {
					t.Fatalf("after %d messages due is %v", i, due)
				}
				if due {
					if credit.Count != uint64(i) || credit.Window < InitialWindow {
						t.Errorf("credit %+v after %d messages", credit, i)
					}
					return
				}
			}
		})
	}
}

// Messages that fill the initial window get one that lets the next be sent
// meanwhile, whatever the round trip; no message gets more in this way.
func TestTheNextMessageIsSentMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name         string
		charge, want int64
	}{
		{"a smaller message", InitialWindow - 1, InitialWindow},
		{"the whole window", InitialWindow, 2 * InitialWindow},
		{"more than that", 3 * InitialWindow, 2 * InitialWindow},
		{"a very large message", 2 * MaxWindow, 2 * InitialWindow},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newInbox(t, NewMemory(0))
				for i := range 2 {
					put(t, b, i, c.charge, true) // at once after the credit: a short round trip
					time.Sleep(time.Second)
					got, due := take(t, b, i)
					if !due || got.Window != c.want {
						t.Errorf("message %d: credit is due: %v, a window of %d, want %d", i, due, got.Window, c.want)
					}
				}
			})
		})
	}
}

// The window doubles when the sender is held back, the program keeps up and the
// window is used up in less than two round trips; it stays below its bound.
func TestTheWindowGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(t, NewMemory(0))
		largest := int64(0)
		for i := range 40 {
			put(t, b, i, b.window, true)
			c, _ := take(t, b, i)
			if c.Window != largest && c.Window != 2*largest && largest > 0 {
				t.Errorf("window %d after %d", c.Window, largest)
			}
			largest = c.Window
			time.Sleep(time.Millisecond) // a round trip
		}
		if largest != MaxWindow {
			t.Errorf("window %d, want %d", largest, MaxWindow)
		}
		b = newInbox(t, NewMemory(0))
		for i := range 40 { // the same, but another message waits: the program does not keep up
			put(t, b, 2*i, InitialWindow/2, true)
			put(t, b, 2*i+1, 256, false)
			if c, _ := take(t, b, 2*i); c.Window != InitialWindow {
				t.Fatalf("window %d although a message waits", c.Window)
			}
			take(t, b, 2*i+1)
			time.Sleep(time.Millisecond)
		}
	})
}

func TestOverrun(t *testing.T) {
	b := newInbox(t, NewMemory(0))
	put(t, b, 1, InitialWindow-1, false)
	put(t, b, 2, 10*InitialWindow, false) // one byte was left, which is enough
	if err := b.Put(3, 1, false); !errors.Is(err, ErrOverrun) {
		t.Errorf("above the window: %v", err)
	}
}

// All reserved memory is given back, however the stream ends.
func TestMemoryIsGivenBack(t *testing.T) {
	for name, end := range map[string]func(b *Inbox[int]){
		"closed and drained": func(b *Inbox[int]) {
			b.Close(ErrEnded)
			for range 3 {
				if _, _, _, err := b.Take(context.Background()); err != nil {
					t.Error(err)
				}
			}
		},
		"aborted":            func(b *Inbox[int]) { b.Abort(ErrEnded) },
		"closed, then abort": func(b *Inbox[int]) { b.Close(ErrEnded); b.Abort(ErrEnded) },
	} {
		m := NewMemory(10 << 20)
		b := newInbox(t, m)
		put(t, b, 1, 300, false)
		put(t, b, 2, 300, false)
		put(t, b, 3, 1<<20, false)
		if m.Used() != 1<<20+600 {
			t.Errorf("%s: %d bytes are reserved for 1 MiB and 600 bytes", name, m.Used())
		}
		end(b)
		if m.Used() != 0 {
			t.Errorf("%s: %d bytes are not given back", name, m.Used())
		}
		if err := b.Put(4, 1, false); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: put after the end: %v", name, err)
		}
	}
}

func TestMemoryBounds(t *testing.T) {
	m := NewMemory(2 * InitialWindow)
	a, b := newInbox(t, m), newInbox(t, m)
	if _, err := NewInbox[int](m); !errors.Is(err, ErrMemory) {
		t.Errorf("a third stream: %v", err)
	}
	if err := a.Put(1, InitialWindow+1, false); !errors.Is(err, ErrMemory) {
		t.Errorf("a message that does not fit: %v", err)
	}
	a.growth = growth{roundTrip: time.Hour, since: time.Now(), short: minShort - 1} // it would grow
	put(t, a, 1, 256, true)
	if c, _ := take(t, a, 1); c.Window != InitialWindow {
		t.Errorf("the window grew to %d without memory", c.Window)
	}
	b.Abort(ErrEnded)
	put(t, a, 2, InitialWindow, false)
}

func TestTakeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(t, NewMemory(0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, _, err := b.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			put(t, b, 7, 256, false)
			b.Close(ErrEnded)
		}()
		take(t, b, 7) // messages before the end are delivered
		for range 2 {
			if _, _, _, err := b.Take(t.Context()); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		}
	})
}

// A random walk of a sender, a receiver and a link with delay, with messages of
// all sizes: all messages arrive in order, the sender never overruns the window
// and never waits forever while the receiver reads, and the receiver never holds
// more than its window and one message.
func TestWalk(t *testing.T) {
	const largest = 1 << 20
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 2))
				m := NewMemory(MaxWindow + 2*largest)
				b := newInbox(t, m)
				w := NewWindow(InitialWindow, nil)
				type frame struct {
					n      int
					charge int64
					full   bool
				}
				data, credits := make(chan frame, 10_000), make(chan Credit, 10_000)
				const count = 400
				sizes := make([]int, count)
				for i := range sizes {
					sizes[i] = rnd.IntN(1 << rnd.IntN(20))
				}
				pause := time.Duration(rnd.IntN(3)) * time.Millisecond
				lies := rnd.IntN(3) == 0 // the receiver measures less than the sender
				go func() {
					defer close(data)
					for i, n := range sizes {
						full, err := w.Acquire(t.Context(), Charge(n))
						if err != nil {
							t.Error(err)
							return
						}
						data <- frame{i, Charge(n), full}
					}
				}()
				go func() {
					for f := range data {
						time.Sleep(100 * time.Microsecond)
						if lies {
							f.charge = minCharge
						}
						if err := b.Put(f.n, f.charge, f.full); err != nil {
							t.Errorf("message %d: %v", f.n, err)
						}
						if _, charge := b.Len(); charge >= MaxWindow+largest {
							t.Errorf("%d bytes are queued", charge)
						}
					}
					b.Close(ErrEnded)
				}()
				go func() {
					for c := range credits {
						time.Sleep(100 * time.Microsecond)
						if err := w.Credit(c.Count, c.Window); err != nil {
							t.Error(err)
						}
					}
				}()
				defer close(credits)
				for i := range count {
					time.Sleep(pause)
					v, c, due, err := b.Take(t.Context())
					if err != nil || v != i {
						t.Fatalf("took %d, %v; want %d", v, err, i)
					}
					if due {
						credits <- c
					}
				}
				if _, _, _, err := b.Take(t.Context()); !errors.Is(err, ErrEnded) {
					t.Error(err)
				}
				if m.Used() != 0 {
					t.Errorf("%d bytes are not given back", m.Used())
				}
			})
		})
	}
}

func BenchmarkPutAndTake(b *testing.B) {
	b.ReportAllocs()
	box, err := NewInbox[int](NewMemory(0))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := box.Put(1, 256, false); err != nil {
			b.Fatal(err)
		}
		if _, _, _, err := box.Take(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// Messages that were not taken stay reserved after the sender has ended its side,
// until they are taken or released, so that half-closed streams are bounded too.
func TestAClosedInboxKeepsWhatIsQueuedReserved(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*Inbox[int])
		want int64
	}{
		"closed":   {func(*Inbox[int]) {}, 3 << 20},
		"taken":    {func(b *Inbox[int]) { take(t, b, 1); take(t, b, 2) }, 0},
		"half":     {func(b *Inbox[int]) { take(t, b, 1) }, 2 << 20},
		"aborted":  {func(b *Inbox[int]) { b.Abort(ErrEnded) }, 0},
		"released": {func(b *Inbox[int]) { b.Release(); take(t, b, 1) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(0)
			b := newInbox(t, m)
			b.window = 4 << 20
			put(t, b, 1, 1<<20, false)
			put(t, b, 2, 2<<20, false)
			b.Close(ErrEnded)
			c.then(b)
			if m.Used() != c.want {
				t.Errorf("%d bytes are reserved, want %d", m.Used(), c.want)
			}
		})
	}
	b := newInbox(t, NewMemory(0))
	b.Release() // it is not closed
	if b.memory.Used() != InitialWindow {
		t.Errorf("%d bytes are reserved for an open inbox", b.memory.Used())
	}
}

// The sender counts from the last credit, so what was taken since then still fills
// the window: one that sends more has overrun it.
func TestWhatIsTakenAndNotCreditedFillsTheWindow(t *testing.T) {
	b := newInbox(t, new(Memory))
	for i := range 4 {
		put(t, b, i, InitialWindow/4, false)
	}
	if err := b.Put(4, 1, false); !errors.Is(err, ErrOverrun) {
		t.Errorf("a full window: %v, want an overrun", err)
	}
	if _, due := take(t, b, 0); due {
		t.Fatal("a quarter is credited already")
	}
	if err := b.Put(4, 1, false); !errors.Is(err, ErrOverrun) {
		t.Errorf("a quarter is taken and not credited: %v, want an overrun", err)
	}
	if _, due := take(t, b, 1); !due {
		t.Fatal("half is not credited")
	}
	put(t, b, 4, 1, false)
}

// One message above the window is reserved for as long as it is queued.
func TestALargeMessageIsReservedUntilItIsTaken(t *testing.T) {
	m := new(Memory)
	b := newInbox(t, m)
	put(t, b, 0, 3*InitialWindow, true)
	if m.Used() != 3*InitialWindow {
		t.Errorf("%d bytes are reserved for a large message, want %d", m.Used(), 3*InitialWindow)
	}
	take(t, b, 0)
	if m.Used() != minOverlap {
		t.Errorf("%d bytes are reserved when it is taken, want %d", m.Used(), minOverlap)
	}
	b.Close(io.EOF)
	if m.Used() != 0 {
		t.Errorf("an empty inbox that is closed reserves %d bytes", m.Used())
	}
}

// However many wait, each gets a message, or the end.
func TestAllWhoWaitAreWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(t, new(Memory))
		type taken struct {
			v   int
			err error
		}
		got := make(chan taken, 4)
		for range 4 {
			go func() {
				v, _, _, err := b.Take(t.Context())
				got <- taken{v, err}
			}()
		}
		synctest.Wait()
		put(t, b, 7, 1, false) // both before any of them runs
		put(t, b, 7, 1, false)
		synctest.Wait()
		if len(got) != 2 {
			t.Errorf("%d of 2 messages were taken", len(got))
		}
		b.Close(io.EOF)
		synctest.Wait()
		if len(got) != 4 {
			t.Fatalf("%d of 4 have returned at the end", len(got))
		}
		ends := 0
		for range 4 {
			if x := <-got; x.err == io.EOF {
				ends++
			} else if x.err != nil || x.v != 7 {
				t.Errorf("took %d, %v", x.v, x.err)
			}
		}
		if ends != 2 {
			t.Errorf("%d saw the end, want 2", ends)
		}
	})
}
