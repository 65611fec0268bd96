// Package retry makes calls again that have failed without having been executed,
// and gives a target that keeps failing a rest.
//
// A call is made again only if that is safe: if it was certainly not sent. That
// covers a session that was lost before the call, a dial that failed, and a call
// for which this side had no room. What a reply says is never taken for that, not
// even CodeExhausted or CodeShuttingDown: the handler may have returned the status
// of a call of its own, after it had done half of its work. A session that
// redials moves the calls that a server which shuts down did not execute to
// another connection by itself. A call whose connection broke while it waited for
// its reply may have been executed, and is left to the caller. [Config].Retryable
// allows more for methods that may be repeated.
//
// Each retry waits for a random time, between half and all of a bound that
// doubles. It takes from a
// budget that calls fill, so that a target in trouble does not get more and more
// calls; and none is made for which the context of the call leaves no time.
//
// With a breaker, a target that fails too often gets no calls at all for a while,
// then a few as probes.
package retry
