package sockettest

import (
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc/internal/test/wait"
)

// checkLeaks fails the test if, soon after it ends, there are goroutines or
// descriptors that are not there now.
func checkLeaks(t *testing.T) {
	before, fds := goleak.IgnoreCurrent(), descriptors()
	t.Cleanup(func() { // runs last: it was registered first
		if err := wait.ForNoLeaks(before, goleak.IgnoreTopFunction("testing.(*T).Run")); err != nil {
			t.Errorf("left behind: %v", err)
		}
		for end := time.Now().Add(settleTime); descriptors() > fds; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d file descriptors, %d before", descriptors(), fds)
				return
			}
		}
	})
}

// settleTime is how long the system may take to close the descriptors of closed
// connections.
const settleTime = 15 * time.Second

// descriptors returns how many files the process has open, or 0 where the system
// does not tell.
func descriptors() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// VerifyMain is TestMain for the package of a transport: it fails if the tests
// leave goroutines behind. It gives the background work of closed connections time
// to end, and ignores goroutines that ran before the tests, such as those of a
// library.
func VerifyMain(m *testing.M) { wait.Main(m) }
