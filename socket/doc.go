// Package socket moves messages over a connection. It
//
//   - writes in batches without a goroutine of its own for writing (writer.go
//     queues, flush.go writes, blockingwriter.go carries on where a write may
//     block; writerstate.go has the states);
//   - bounds what waits for a slow reader (roomqueue.go) and how long
//     (watchdog.go, deadline.go, close.go);
//   - holds no buffer while there is nothing to read (reader.go);
//   - says what a transport is (transport.go).
//
// Transports other than TCP and Unix sockets are in the packages below this one.
package socket
