// Package kit has helpers for tests of whole peers: peers that do not log and are
// closed when the test ends, bounded waits, leak checks, and the other side of a
// connection driven by hand.
//
// Peers communicate over a [Medium]; [Serve] and [Dial] are for tests that need
// only one server and one session over TCP.
package kit
