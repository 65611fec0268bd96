// Package sockettest holds what every transport must do, as one test that an
// implementer of [socket.Transport] calls: bytes arrive whole and in order,
// deadlines and Close are prompt, what was written before Close arrives, and
// nothing is left behind.
package sockettest
