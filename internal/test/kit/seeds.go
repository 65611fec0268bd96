package kit

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seeds returns the seeds of random tests: the fixed ones and n that are drawn.
// ERPC_SEED replaces them by one, to repeat its test.
func Seeds(t testing.TB, n int, fixed ...uint64) []uint64 {
	t.Helper()
	if s := os.Getenv("ERPC_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	for range n {
		fixed = append(fixed, rand.Uint64())
	}
	return fixed
}
