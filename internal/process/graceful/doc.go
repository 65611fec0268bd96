// Package graceful shuts down and restarts the peers of a process together.
//
// A restart hands the listening sockets down: the old process starts the
// program again with the descriptors, and with their list in the environment. A
// peer of the new process that listens on the same network and address takes the
// socket instead of making one, so that the kernel's queue of connections survives
// and no connection is refused. Once every socket is being served, the new process
// says so on a pipe. Only then does it start to accept, and the old process shuts
// down. If it does not say so in time, it is killed, and the old process carries
// on as if nothing had happened.
package graceful
