package cluster

// Stats are counters of a node.
type Stats struct {
	Nodes   int    // other nodes that live
	Topics  int    // rooms and users with a subscription here
	Pending int    // questions and calls to other nodes without an answer
	Gaps    int    // sessions that missed pushes and were not told yet
	Dropped uint64 // pushes to a session without room, since the start
}

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	return Stats{
		Nodes:   len(c.Nodes()),
		Topics:  len(c.topics.all()),
		Pending: len(c.pending.all()),
		Gaps:    len(c.gaps.all()),
		Dropped: c.dropped.Load(),
	}
}
