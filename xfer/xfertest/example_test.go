package xfertest_test

import (
	"testing"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/xfertest"
)

// The author of a filter calls Run from a test like this one.
func Example() {
	gzip.Reg('g', "gzip", 5)
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		f, err := xfer.Get('g')
		if err != nil {
			t.Fatal(err)
		}
		xfertest.Run(t, f)
	}
}
