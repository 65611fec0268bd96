//go:build race

package erpc_test

const raceEnabled = true
