package kit

import (
	"testing"
	"testing/synctest"
	"time"
)

// Bubble runs f in a bubble of [synctest], where time passes only while all
// goroutines are blocked. After the peers of the test are closed, it waits until
// their idle workers have ended.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // registered first, so it runs last
		f(t)
	})
}
