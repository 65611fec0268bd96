// Package attack attacks servers the way a stranger can: over their sockets. Each
// server is a separate process with a memory cap, so that the test measures only
// what the attack costs the receiver: peak memory, processor time, and bytes of
// log.
//
// The table is in attack_test.go and the other files here; attacks that need no separate
// process are tests elsewhere, which docs/reliability.md names. By default the attacks are
// small; ERPC_ATTACK=full runs them in full, and the flag -page writes the measurements into
// docs/reliability.md (make attack).
//
// The race detector needs several times the memory of a program, so the package
// skips its tests under it.
package attack
