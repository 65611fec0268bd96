// Package limit has plugins that limit what a peer does for others, for a peer,
// a group or a route. [New] limits how many messages a handler works on at the
// same time, and says whether the others wait or are refused, and whether the
// messages of one session are handled in order. [NewRate] limits how many
// messages a session, an address or an identity may send per second. [Pending]
// limits the calling side: the calls that a session has in flight.
//
// A stream counts as one message that its handler works on until the stream
// ends. Streams do not wait: those above a limit are refused even if there is a
// queue, and ordered handlers do not wait for them.
//
// The plugins do not change the wire format. Refused calls get CodeExhausted
// and are not executed; refused pushes are dropped.
package limit
