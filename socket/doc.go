// Package socket moves messages over a connection. It coalesces what is
// written without a goroutine or a timer of its own (outbox.go), holds no
// buffer while there is nothing to read (reader.go), bounds what waits for a
// slow reader, and says what a transport is (transport.go). Transports other
// than TCP and Unix sockets are in the packages below this one.
package socket
