// Package heartbeat finds connections that are there in name only. One side has
// a [Ping], which sends a heartbeat when there is nothing else to send or to
// hear; the other has a [Pong], which answers it and expects the next.
//
// The first heartbeat is sent as soon as a session is open, however busy it is:
// it tells the Pong the rate. A Ping closes a connection on which nothing at all
// has come back for a number of beats, and a Pong one from which it has heard
// nothing for that long. What was closed is as broken as any connection: calls
// end with CodeConnClosed at once, and a client that redials does so.
//
// Nothing comes back to a Ping that pushes. When it has heard nothing for
// Misses-1 beats it sends a call in place of a push; that gets an answer from
// any peer that is there, and if none comes the connection is closed as soon as a
// Ping that calls would close it.
//
// On a session that has sent no heartbeat, because the other side has no Ping or
// is v7's and was never idle, a Pong goes by PongConfig.Rate, half a minute. Over
// HTTP, where a client cannot be asked, it leaves such a session alone.
//
// Every byte that arrives is a sign of life, so that a large message that takes
// longer than a beat, or many, does no harm. While something waits to be
// written, silence is not counted, because the heartbeat waits too; there the
// peer's WriteTimeout counts. What was written lately buys time, a second for
// each 64 KiB, because it has to arrive before an answer can come.
//
// # Wire
//
// As erpc v7 has it: a CALL or PUSH to /heartbeat with the metadata hb_=3, the
// seconds between two, and no body. A rate that is not a whole number of seconds is
// rounded up there, for v7, and X-Erpc-Beat has it in milliseconds.
//
// v7's Ping says nothing while it hears messages. So before a Pong closes a
// connection it asks, with a call of /heartbeat; any answer will do. v7's Ping
// closes a session when a heartbeat is not answered with success; a peer that
// limits rates should let /heartbeat pass. v7's Pong closes a session on which no
// CALL or PUSH has begun for two beats, also while a large one is on its way;
// choose a rate with that in mind.
//
// A connection costs a timer, no goroutine.
package heartbeat
