// Package wiretest is what tests use to prove that erpc speaks the wire of
// erpc v7: the captured messages of internal/test/testdata/golden.json, a server with the
// service behind them built like a user's program, connections that are
// scripted byte by byte, and the real v7 programs of the module interop.
// Nothing but tests imports it.
package wiretest
