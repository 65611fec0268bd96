// Package streams has the behaviour suite of streams: what is promised of them,
// run over each protocol and transport that can carry them.
package streams
