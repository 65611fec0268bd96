//go:build linux

package attack

import (
	"flag"
	"os"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

var page = flag.String("page", "", "write the table of what was measured into this page")

// full reports whether the attacks run in full.
var full = os.Getenv("ERPC_ATTACK") == "full"

// doorKey names, in the environment of a child process, the door that it opens.
const doorKey = "ERPC_ATTACK_DOOR"

// TestMain runs the tests, or serves what they attack.
func TestMain(m *testing.M) {
	if name := os.Getenv(doorKey); name != "" {
		serveDoor(name)
		return
	}
	kit.Main(m)
}
