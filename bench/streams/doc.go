// Command streams measures one stream of messages from one process end to another
// over TCP loopback, for erpc and for other frameworks, and writes
// docs/performance/streams.md. It is a module of its own, because of what the
// frameworks need.
package main
