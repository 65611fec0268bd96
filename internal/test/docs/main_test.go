// Package docs holds the tests of the pages: their code compiles and runs, and
// their tables agree with the code.
package docs

import (
	"fmt"
	"os"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

// module is the path of the module.
const module = "github.com/goerpc/erpc"

// TestMain runs the tests in the root of the module, so that paths of pages are
// relative to it.
func TestMain(m *testing.M) {
	if err := os.Chdir("../../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pages = allPages()
	kit.Main(m)
}
