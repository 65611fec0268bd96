package session

import (
	"testing"
	"time"
)

func TestErrorsAreLoggedTenTimesASecondAndCounted(t *testing.T) {
	var l lineBudget
	start := time.Unix(1000, 0)
	for i := range 25 {
		missed, ok := l.allow(start.Add(time.Duration(i) * time.Millisecond))
		if want := i < maxErrorLines; ok != want || missed != 0 {
			t.Errorf("line %d: logged %t after %d that were not, want %t after none", i, ok, missed, want)
		}
	}
	if missed, ok := l.allow(start.Add(time.Second)); !ok || missed != 25-maxErrorLines {
		t.Errorf("a second later: logged %t after %d that were not, want true after %d", ok, missed, 25-maxErrorLines)
	}
	if missed, ok := l.allow(start.Add(time.Second)); !ok || missed != 0 {
		t.Errorf("the next: logged %t after %d that were not, want true after none", ok, missed)
	}
}
