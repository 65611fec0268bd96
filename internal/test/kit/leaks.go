package kit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"go.uber.org/goleak"
)

// atStart ignores the goroutines that run before any test: those of kcp-go, which
// the façade links.
var atStart = goleak.IgnoreCurrent()

// Main is TestMain for a package of tests: it fails if goroutines are left when
// all tests have ended.
func Main(m *testing.M) { wait.Main(m) }

// NoLeaks fails the test if it leaves goroutines or descriptors behind. A test
// must call it first, so that it checks last.
func NoLeaks(t testing.TB) {
	t.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err != nil { // the runtime opens its poller
		t.Fatal(err)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := Descriptors(t)
	t.Cleanup(func() {
		if err := wait.ForNoLeaks(atStart); err != nil {
			t.Errorf("goroutines left behind: %v", err)
		}
		var now map[string]int
		var more []string
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			now, more = Descriptors(t), nil
			for name, n := range now {
				if n > before[name] {
					more = append(more, fmt.Sprintf("%s ×%d", name, n-before[name]))
				}
			}
			if more == nil || time.Now().After(end) {
				break
			}
		}
		if more != nil {
			t.Errorf("descriptors left behind: %s", strings.Join(more, ", "))
		}
	})
}

// Descriptors counts the open files of the process by their kind.
func Descriptors(t testing.TB) map[string]int {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil // Linux only
	}
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // that of the directory itself, which is closed again
		}
		kind, _, _ := strings.Cut(to, ":")
		kinds[kind]++
	}
	return kinds
}
