// Package overloader is a plugin that protects a peer from overload. It limits
// the number of sessions, the rate of calls and pushes, in total and per
// method, and the number of handlers that run at the same time. Messages above
// a limit are refused at once, or wait briefly for their turn.
//
// A connection above the session limit is closed without sending anything. A
// refused call gets the code CodeExhausted and was not executed;
// [LimitConfig].V7Status gives it the code 500 and the text of erpc v7 instead.
// Neither proves to the caller that the call was not executed, because a
// handler may return the status of a call that it made itself; see
// [IsOverload]. A refused push is only counted.
//
// Waiting messages are handled newest first: under overload, the callers that
// have waited longest are about to give up, while a recent call can still be
// answered in time. A message waits no longer than MaxQueueTime, and no longer
// than its caller.
//
// A stream counts as one call, and as a running handler until it ends. A peer
// with many streams should limit them with a HandlerLimit for their methods, or
// list these in Except.
//
// All limits can be changed while the peer runs, with [Overloader.Update];
// messages already above a new limit are not ended. The plugin should be the
// first of its peer, so that refusing is as cheap as possible. For routes, use
// [Overloader.Route].
package overloader
