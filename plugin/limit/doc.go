// Package limit bounds the handlers of a route: how many messages they work on
// at the same time, what happens to those above that, and whether those of one
// session are handled one after another. It changes nothing on the wire; refused
// calls get CodeExhausted and were not executed. [Pending] bounds the other side: the
// calls that a session has in flight.
package limit
