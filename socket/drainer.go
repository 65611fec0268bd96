package socket

import "github.com/goerpc/erpc/internal/workerpool"

// newDrainers returns the goroutines that write outboxes with writes that may
// block: those of connections that offer no other, and those whose kernel
// buffer is full. They belong to all sockets of one configuration.
func newDrainers() *workerpool.Pool[*outbox] {
	return &workerpool.Pool[*outbox]{Max: 64, Do: (*outbox).drain}
}
