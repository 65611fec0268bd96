// Package multiclient is a pool of sessions to one address, behind the methods
// of one session. One connection is one stream of bytes: a large message holds
// up those behind it, and its encryption runs on one core. A pool spreads calls
// and pushes over several, for large messages and many cores.
//
// A call or push goes to the session with the fewest calls in flight. If none
// is idle and the quota leaves room, the pool dials another session first and
// waits for it; if the dial fails, it uses the sessions it has. Sessions that
// nothing was sent on for the idle time are closed, and broken ones are
// replaced on demand. Messages on different sessions may overtake each other:
// send messages that need an order on one session, outside the pool.
package multiclient
