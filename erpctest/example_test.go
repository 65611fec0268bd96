package erpctest_test

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
)

// Code that only calls needs no peers at all.
func ExampleFake() {
	var f erpctest.Fake
	erpctest.Answer(&f, "/add", add)
	sum, err := erpc.CallValue[int](context.Background(), &f, "/add", []int{1, 2})
	fmt.Println(sum, err, len(f.Sent()))
	// Output: 3 <nil> 1
}
