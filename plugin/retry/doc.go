// Package retry makes calls again that have failed without having been executed,
// and spares a target that keeps failing.
//
// A call is made again only if that is safe: it was never sent, or the receiver
// says that it was not executed, because it is shutting down (CodeShuttingDown)
// or has too much to do (CodeExhausted). A call whose connection broke while it
// waited for its reply may have been executed, and is left to the caller.
//
// Each retry waits, a random time up to a bound that doubles; it takes from a
// budget that calls fill, so that a target in trouble is not asked more and more;
// and none is made that the context of the call leaves no time for.
//
// With a breaker, a target that fails too often gets no calls at all for a
// while, then a few to see whether it has recovered.
//
// [Retry] is a plugin, because only hooks know whether a call was sent: the peer
// whose sessions make the calls must have it. For others, and for targets that
// are no sessions, a lost connection is never taken for a call that was not sent.
package retry
