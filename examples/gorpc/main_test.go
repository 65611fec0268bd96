package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- run(&out) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still running")
	}
	const want = `foobar crashed: 500
HELLO true division by zero
batch: true 404 monday: 6
stats: client out = server in: true dials: 1 accepts: 1
late: 408 cancelled: 499
one too many: 429 true
wrapped connection was used: true
`
	if got := out.String(); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}
