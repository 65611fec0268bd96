// Package attack attacks servers the way a stranger can: over their sockets. Each
// server is a process of its own with a memory cap, so that the test measures what
// the attack costs the receiver and nobody else: peak memory, processor time, and
// bytes of log.
//
// The table is in attack_test.go and the files beside it; attacks that need no
// process of their own are tests elsewhere, which docs/reliability.md names. By
// default the attacks run in small; ERPC_ATTACK=full runs them in full, and the flag -page writes what
// they measured into docs/reliability.md (make attack).
//
// The race detector needs several times the memory of a program, so the package
// measures nothing under it.
package attack
