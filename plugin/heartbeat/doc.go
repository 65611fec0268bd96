// Package heartbeat detects dead connections. One side has a [Ping], which
// sends a heartbeat when nothing else is sent or received; the other side has a
// [Pong], which answers it and expects the next.
//
// The first heartbeat is sent soon after a session opens, even if it is busy,
// because it tells the Pong the rate. Both close a connection on which nothing
// was received for a number of beats. The effect is that of a broken
// connection: calls end with CodeConnClosed at once, and a client that redials
// does so.
//
// A Ping that pushes gets no answers. When it has received nothing for Misses-1
// beats, it sends a call instead of a push, which every live peer answers.
// Without an answer, it closes the connection as soon as a Ping that calls
// would.
//
// On a session that has sent no heartbeat, because the other side has no Ping
// or is v7's and was never idle, a Pong assumes PongConfig.Rate, by default
// half a minute. Over HTTP, where a server can't call its client, it does not
// watch such a session.
//
// Every received byte is a sign of life, so a large message may take longer
// than many beats. While something waits to be written, silence is not counted,
// because the heartbeat waits too; the peer's WriteTimeout applies then.
// Recently written bytes extend the deadline by a second for each 64 KiB,
// because they have to arrive before the other side can answer.
//
// # Wire
//
// As in erpc v7, a heartbeat is a CALL or PUSH to /heartbeat without a body.
// Its metadata has the seconds between two heartbeats, as in hb_=3. A rate that
// is not a whole number of seconds is rounded up there, for v7, and X-Erpc-Beat
// has it in milliseconds.
//
// v7's Ping sends nothing while it receives messages. So before a Pong closes a
// connection, it calls /heartbeat; any answer is a sign of life. v7's Ping
// closes a session when a heartbeat is not answered with success, so a peer
// that limits rates should exempt /heartbeat. v7's Pong closes a session on
// which no CALL or PUSH has begun for two beats, even while a large one is in
// transit; choose the rate accordingly.
//
// Each connection costs one timer and no goroutine.
package heartbeat
