//go:build !linux

package eventloop_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }
