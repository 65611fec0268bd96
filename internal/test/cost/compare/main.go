// Compare fails if benchmarks cost more than the committed figures say: more
// allocations, more memory, more system calls or more bytes on the wire. Times
// depend on the machine and its load, so it does not look at them.
//
//	go run ./internal/test/cost/compare COMMITTED MEASURED
//
// Both files are output of go test -bench -benchmem. Of several runs of one
// benchmark the lowest figure counts, because noise only adds.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: compare COMMITTED MEASURED")
		os.Exit(2)
	}
	committed, err := load(os.Args[1])
	if err != nil {
		fail(err)
	}
	measured, err := load(os.Args[2])
	if err != nil {
		fail(err)
	}
	compared, complaints := compare(committed, measured)
	for _, c := range complaints {
		fmt.Println(c)
	}
	if len(complaints) > 0 {
		fail(fmt.Errorf("%d complaints; if they are meant, make bench-baseline and commit bench/baseline.txt", len(complaints)))
	}
	fmt.Printf("%d figures of %d benchmarks cost no more than committed\n", compared, len(committed))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "compare:", err)
	os.Exit(1)
}
