package accept_test

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/socket/internal/accept"
)

func TestMain(m *testing.M) { wait.Main(m) }

func pipe(t *testing.T) net.Conn {
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() }) // of no consequence
	return a
}

func TestQueueHandsOver(t *testing.T) {
	q := accept.NewQueue(nil)
	c := pipe(t)
	offered := make(chan bool, 1)
	go func() { offered <- q.Offer(c, nil) }()
	got, err := q.Accept()
	if got != c || err != nil || !<-offered {
		t.Errorf("accepted %v, %v", got, err)
	}
	gone := make(chan struct{})
	close(gone)
	if q.Offer(c, gone) {
		t.Error("accepted from an offer that was withdrawn")
	}
}

func TestCloseEndsAcceptAndOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := accept.NewQueue(nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			if q.Offer(nil, nil) {
				t.Error("the offer succeeded though nobody accepts")
			}
		})
		synctest.Wait()
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		select {
		case <-q.Done():
		default:
			t.Error("not done")
		}
		wg.Go(func() { q.Offer(nil, nil) })
		if _, err := q.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
		if err := q.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed again: %v", err)
		}
		wg.Wait()
	})
}

// What is below is released once, when its last user has ended.
func TestFreeComesLast(t *testing.T) {
	for name, steps := range map[string]struct {
		do   string // a: add, e: ended, c: close
		free int    // after which step
	}{
		"nothing was accepted":     {"c", 1},
		"connections end first":    {"aaeec", 5},
		"the listener ends first":  {"aacee", 5},
		"all have ended":           {"aeaec", 5},
		"no more after it is over": {"acae", 4},
	} {
		var freed atomic.Int32
		q := accept.NewQueue(func() { freed.Add(1) })
		at, added, ended := 0, 0, 0
		for i, step := range steps.do {
			switch step {
			case 'a':
				if q.Add() {
					added++
				}
			case 'e':
				ended++
				q.Ended()
			case 'c':
				if err := q.Close(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if at == 0 && freed.Load() == 1 {
				at = i + 1
			}
		}
		want := steps.free
		if at != want || freed.Load() != 1 || added != ended {
			t.Errorf("%s: freed %d times, first after step %d, want %d", name, freed.Load(), at, want)
		}
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d accept.Deadline
		passes := func(after time.Duration) bool {
			over, passed := d.Watch()
			if passed {
				return true
			}
			select {
			case <-over:
				return d.Passed()
			case <-time.After(after):
				return false
			}
		}
		if passes(time.Hour) {
			t.Error("none has passed")
		}
		d.Set(time.Now().Add(time.Minute))
		if passes(59 * time.Second) {
			t.Error("passed early")
		}
		if !passes(2 * time.Second) {
			t.Error("has not passed")
		}
		d.Set(time.Now().Add(time.Minute))
		over, _ := d.Watch()
		d.Set(time.Time{})
		select {
		case <-over:
		default:
			t.Error("watchers are not told of a move")
		}
		if passes(time.Hour) {
			t.Error("passed after it was removed")
		}
		d.Set(time.Unix(1, 0))
		if _, passed := d.Watch(); !passed {
			t.Error("a deadline in the past has not passed")
		}
		over, _ = d.Watch()
		d.Wake()
		<-over
	})
}
