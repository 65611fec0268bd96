package prototest_test

import (
	"testing"

	"github.com/goerpc/erpc/proto/prototest"
	"github.com/goerpc/erpc/proto/rawproto"
)

// The author of a format calls Run from a test like this one.
func Example() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		prototest.Run(t, rawproto.New, prototest.Options{
			Seqs: []int32{1, 1 << 30}, // a format without negative ones
		})
	}
}
