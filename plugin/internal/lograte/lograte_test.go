package lograte

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneLineEachSecondWithTheNumberOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		var lines []uint64
		for range 2500 { // events, one each millisecond
			l.Do(func(skipped uint64) { lines = append(lines, skipped) })
			time.Sleep(time.Millisecond)
		}
		if len(lines) != 3 || lines[0] != 0 || lines[1] != 999 || lines[2] != 999 {
			t.Errorf("lines with %v skipped, want 0, 999 and 999", lines)
		}
	})
}

func TestNothingIsLostUnderConcurrency(t *testing.T) {
	var l Limiter
	var lines, skipped atomic.Uint64
	const events = 8000
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range events / 8 {
				l.Do(func(n uint64) {
					lines.Add(1)
					skipped.Add(n)
				})
			}
		})
	}
	wg.Wait()
	if got := lines.Load() + skipped.Load() + l.skipped.Load(); got != events {
		t.Errorf("%d events are accounted for, want %d", got, events)
	}
}
