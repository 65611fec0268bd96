// Package behaviour contains only tests: one suite of the behaviour of peers, over
// every protocol on every transport that can carry it. The tables list combinations
// and behaviours that are impossible, with the reason. docs/protocols.md shows the
// result.
package behaviour
