// Package retry repeats calls that failed without being executed, and has a
// circuit breaker for targets that keep failing.
//
// A call is repeated only if that is safe, because it was certainly not sent:
// its session was lost before the call, a dial failed, or this side had no room
// for the call. A reply never counts as proof, not even CodeExhausted or
// CodeShuttingDown, because the handler may have returned the status of a call
// that it made itself after doing half of its work. A session that redials
// moves calls that a server did not execute because it shuts down to another
// connection by itself. A call whose connection broke while it waited for the
// reply may have been executed; the caller has to decide. [Config].Retryable
// allows more retries for idempotent methods.
//
// Each retry waits for a random time between half of a bound and the bound,
// which doubles each time. Retries use up a budget that calls refill, so that
// they don't overload a struggling target. A call is not retried if its context
// would end first.
//
// With a breaker, a target that fails too often gets no calls for a while, and
// then a few calls as probes.
package retry
