// Package stats is a plugin that counts what a peer does: calls and pushes by
// method, with errors and a histogram of latencies, at both ends; and messages,
// bytes, reads, writes, queues and drops by session and for the whole peer.
//
// Counting costs a few atomic additions per message, and about 100 ns for the
// list of running calls. [Stats.Snapshot] is for programs; a Stats is an
// expvar.Var, so expvar.Publish("erpc", stats) exports it; [Stats.Handler]
// serves the text format of Prometheus. [Stats.Running] returns running calls,
// oldest first, and [Stats.Slowest] those that took longest; plugin/dashboard
// shows all of it. With [Config.Allow] the command erpc top reads the counts
// over the wire.
//
// A Stats is for one peer and should be its first plugin, so that it sees what
// the others refuse. Unregistered methods are counted together as (unknown), so
// that callers can't fill the memory with names.
package stats
