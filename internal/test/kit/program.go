package kit

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program that make test-interop installs. It skips the
// test if the program is not installed, except with ERPC_INTEROP, where that is a
// failure.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("ERPC_INTEROP") != "" {
		t.Fatal(err)
	}
	t.Skipf("%s is not installed; make test-interop installs it", name)
	return ""
}
