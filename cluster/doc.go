// Package cluster joins peers on several machines. A program on any node pushes
// to a session, to all sessions of a user, to the members of a room or to
// everybody, and calls a session that another node holds.
//
// A [Cluster] is a plugin of one peer, its node. Nodes talk through an [Engine]:
// [Memory] joins the peers of one process, cluster/nats those of several machines.
//
// A session is named by its address, which is gone with its connection. To reach
// a person, name the user of the session with [Cluster.SetUser] and push to that.
//
// Messages are delivered at most once, and those of one publisher to one room in
// the order in which they were published. A session that missed messages gets a
// push of [GapMethod]. In a room with history, see [Options], it gets them, on
// whatever node it comes back: see [Cluster.Resume]. docs/cluster.md says what holds when something fails.
package cluster
