// Package stats is a plugin that counts what a peer does: calls and pushes by
// method, with errors and a histogram of latencies, at both ends; and messages,
// bytes, reads, writes, queues and drops by session and for the whole peer.
//
// Counting costs a few atomic additions for each message, and about 100 ns for the
// list of what is at work. [Stats.Snapshot] is for programs; a Stats is an
// expvar.Var, so that expvar.Publish("erpc", stats) shows it; [Stats.Handler] speaks
// the text format of Prometheus. [Stats.Running] has the calls that hang, and
// [Stats.Slowest] those that took longest; plugin/dashboard shows all of it. With
// [Config.Allow] the command erpc top reads the counts over the wire.
//
// A Stats is for one peer and belongs leftmost among its plugins, so that it
// sees what the others refuse. Methods that nobody has registered are counted
// as one, (unknown), so that a caller can't fill the memory with names.
package stats
