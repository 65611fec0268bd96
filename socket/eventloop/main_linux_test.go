package eventloop_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
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
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // kcp-go, which the façade links, starts goroutines at once
}
