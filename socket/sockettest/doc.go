// Package sockettest is the conformance test of transports: an implementer of
// [socket.Transport] calls [Run] from a test, once for each way in which the
// transport can be used. It checks that
//
//   - bytes arrive whole and in order, both ways at once, on many connections,
//     whoever speaks first, and what was written before Close arrives;
//   - addresses are those of the network, and a client and its server see the
//     same ones;
//   - read and write deadlines hold, also for calls that wait already, and can be
//     removed;
//   - Close ends reads and blocked writes of both sides at once, also when many
//     close at the same time; net.ErrClosed and timeouts can be distinguished;
//   - Dial obeys its context, and fails where there is no listener;
//   - a listener closes promptly, leaves accepted connections open, and is not
//     held up by a silent client or confused by strangers;
//   - where a connection can be half open (it has CloseWrite), the other side
//     reads the end and can still send;
//   - a [socket.Socket] on the connection, as it is, wrapped, and wrapped
//     without deadlines, keeps its write timeout and its prompt Close while the
//     other side does not read and every buffer is full. For that a Close of the
//     connection must end a Write in progress on another goroutine;
//   - nothing is left behind: no goroutine, no file descriptor.
package sockettest
