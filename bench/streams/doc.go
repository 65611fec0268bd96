// Command streams measures one stream of messages over TCP loopback, for erpc
// and other frameworks, and writes docs/performance/streams.md. It is a
// separate module because of the dependencies of the frameworks.
package main
