// Package wiretest has helpers to prove that erpc uses the wire format of erpc v7: the
// captured messages of internal/test/testdata/golden.json, a server with the service
// behind them built like a user's program, connections that are scripted byte by byte,
// and the real v7 programs of the module interop. Only tests import it.
package wiretest
