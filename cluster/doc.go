// Package cluster joins peers on several machines. A program on any node can
// push to a session, to all sessions of a user, to the members of a room or to
// everyone, and can call a session on another node.
//
// A [Cluster] is a plugin of one peer, its node. Nodes exchange messages
// through an [Engine]: [Memory] joins the peers of one process, cluster/nats
// those of several machines.
//
// A session is identified by its address, which changes with each connection.
// To reach a person, set the user of the session with [Cluster.SetUser] and
// push to that user.
//
// Messages are delivered at most once, and those of one publisher to one room
// in the order of publication. A session that missed messages gets a push of
// [GapMethod]. In a room with history (see [Options]), it gets the missed
// messages, even if it returns on another node: see [Cluster.Resume].
// docs/cluster.md describes the guarantees under failures.
package cluster
