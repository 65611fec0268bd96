// Package limit bounds what a peer does for others, by plugins for a peer, a group
// or a route: [New] bounds how many messages a handler works on at the same time,
// what happens to those above that, and whether those of one session are handled
// one after another; [NewRate] bounds how many a session, an address or an
// identity may send in a second. [Pending] bounds the other side: the calls that a
// session has in flight.
//
// A stream counts as one message that its handler works on for as long as the
// stream lasts. Streams do not wait: those above a bound are refused even if there
// is a queue, and ordered handlers do not wait for them.
//
// Nothing of it changes the wire. Calls that are refused get CodeExhausted and
// were not executed; pushes are dropped.
package limit
