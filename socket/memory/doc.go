// Package memory is a transport inside one process, for tests: connections with
// deadlines and a bounded buffer, and faults on demand: delay, small reads,
// a cut, a corrupted byte, a stall. It starts no goroutine and holds no state
// outside of a [Transport], so it works inside a testing/synctest bubble.
package memory
