// Package nats carries the messages of a cluster over NATS. Live messages use
// core NATS, which delivers at most once; rooms with history use JetStream.
// Package nats/embed runs the server in the same process.
//
// The server limits the size of a message, to 1 MiB by default.
package nats
