package codectest_test

import (
	"testing"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/codectest"
)

// The author of a codec calls Run from a test like this one.
func Example() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		codectest.Run(t, codec.JSONCodec{}, []codectest.Case{{
			Name:   "list",
			Value:  []int{1, 2},
			New:    func() any { return new([]int) },
			Golden: []byte("[1,2]"),
			Bad:    [][]byte{[]byte("[1,"), []byte(`{"a":1}`)},
		}})
	}
}
