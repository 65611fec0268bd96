// Package graceful shuts down and restarts the peers of a process together.
//
// A restart hands the listening sockets down: the old process starts the
// program again with the descriptors, and with their list in the environment. A
// peer of the new process that listens on the same network and address takes the
// socket instead of making one, so that the kernel's queue of connections lives
// on and none is refused. Once every socket is being accepted from, the new
// process says so on a pipe; only then does it accept and the old one shut down.
// If it doesn't say so, it is killed and the old one carries on as if nothing
// had happened.
package graceful
