package eventloop_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain also runs as the client process of TestIdleMemory.
func TestMain(m *testing.M) {
	if addrs := os.Getenv(clientEnv); addrs != "" {
		if err := idleClient(strings.Split(addrs, ",")); err != nil {
			fmt.Fprintln(os.Stderr, "client:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	wait.Main(m)
}
