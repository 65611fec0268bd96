// Package e2e tests whole peers through the façade, as a user's program would.
// Each file has one subject. A number in a comment, such as "case 29", refers to
// the catalogue in docs/reliability.md.
//
// ERPC_CASES=full runs the sizes of the catalogue; otherwise smaller ones run.
package e2e

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
