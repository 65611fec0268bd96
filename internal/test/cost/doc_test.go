// Package cost measures what whole messages cost: the benchmarks that make
// bench-check compares with the committed figures, and the guard of allocations.
package cost

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
