// Package multiclient is a pool of sessions to one address, behind the methods
// of one session. One connection is one stream of bytes: a large message holds
// up those behind it, and its encryption runs on one core. A pool spreads calls
// and pushes over several, for large messages and many cores.
//
// A call or push goes to the session with the fewest calls in flight. If none
// is idle and the quota leaves room, it dials another first and waits for that;
// when the dialing fails, it makes do with what there is. Sessions that nothing
// was sent on for the idle time are closed, and broken ones are replaced when
// somebody needs them. Messages on different sessions may overtake each other:
// what needs an order belongs on a session of its own.
package multiclient
