package main

import "testing"

// The benchmark runs, if only a little of it.
func TestBenchRuns(t *testing.T) {
	if err := run(t.Output(), 3, 5); err != nil {
		t.Fatal(err)
	}
}
