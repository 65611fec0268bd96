package session

import (
	"sync"
	"testing"
)

func TestLazyIsMadeOnce(t *testing.T) {
	var l lazy[int]
	if l.peek() != nil {
		t.Fatal("it is there before somebody has asked")
	}
	const askers = 20
	got := make([]*int, askers)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = l.get() })
	}
	wg.Wait()
	for _, v := range got {
		if v == nil || v != got[0] || v != l.peek() {
			t.Fatalf("somebody has another value: %v", got)
		}
	}
}
