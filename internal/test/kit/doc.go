// Package kit is what the tests of whole peers share: peers that log nothing
// and close themselves, waits with a bound, a search for what a test left
// behind, and the other side of a connection driven by hand.
//
// Peers talk over a [Medium]; [Serve] and [Dial] are for tests that only need
// one server and one session over TCP.
package kit
