package sockettest

import (
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// checkLeaks fails the test if, soon after it ends, there are goroutines or
// descriptors that are not there now.
func checkLeaks(t *testing.T) {
	before, fds := goleak.IgnoreCurrent(), descriptors()
	t.Cleanup(func() { // runs last: it was registered first
		if err := settle(func() error { return goleak.Find(before, goleak.IgnoreTopFunction("testing.(*T).Run")) }); err != nil {
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

// settleTime is how long the background work of a closed connection may take, such
// as repeating a lost acknowledgement.
const settleTime = 15 * time.Second

func settle(find func() error) (err error) {
	for end := time.Now().Add(settleTime); time.Now().Before(end); {
		err = find()
		if err == nil {
			return nil
		}
	}
	return err
}

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

// VerifyMain is goleak.VerifyTestMain for the package of a transport: it gives the
// background work of closed connections time to end, and ignores goroutines that
// ran before the tests, such as those of a library.
func VerifyMain(m *testing.M) {
	before := goleak.IgnoreCurrent()
	goleak.VerifyTestMain(settling{m, before}, before)
}

type settling struct {
	*testing.M
	before goleak.Option
}

func (s settling) Run() int {
	code := s.M.Run()
	_ = settle(func() error { return goleak.Find(s.before) }) // the caller reports a failure
	return code
}
