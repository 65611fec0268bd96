// Package overloader is a plugin that protects a peer from more than it can do:
// from too many sessions, from calls and pushes that come too fast, all together
// or to one method, and from too many handlers at work at the same time. What is
// above a limit is refused at once, or waits a moment for its turn.
//
// A session above the limit is closed without a byte. A refused call gets the code
// CodeExhausted and was not executed; [LimitConfig].V7Status gives it the code 500
// and the text of erpc v7 instead. A caller cannot conclude from either that a call
// was not executed, because a handler may return the status of a call of its own;
// see [IsOverload]. A refused push is only counted.
//
// Messages that wait for a handler to end are taken up newest first: when there is
// more to do than can be done, the callers of those that have waited long give up
// soon, and a fresh one can still be answered in time. None waits longer than
// MaxQueueTime, nor than its caller.
//
// A stream counts as one call, and as a handler at work for as long as it lasts: a
// peer with many of them should bound these with a HandlerLimit of their methods, or
// have them in Except.
//
// All limits can be changed while the peer runs, with [Overloader.Update]; what
// is above a new one is not ended. The plugin should be the first of its peer, so
// that what it refuses costs nothing more. A route takes [Overloader.Route].
package overloader
