// Package streams has the behaviour suite of streams, run over each protocol and
// transport that can carry them.
package streams
