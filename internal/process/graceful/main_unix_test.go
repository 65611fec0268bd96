//go:build unix

package graceful_test

import (
	"os"
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
)

// roleVariable makes the test program the server of a test, which a reboot
// restarts like any program.
const roleVariable = "ERPC_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		os.Exit(serverMain())
	}
	wait.Main(m)
}
