// Command limit is what the other peers are measured against: the same work
// written by hand on one TCP connection, with nothing that a framework needs.
// Frames are a length and a slot number; requests and replies leave in
// batches, each after one runtime.Gosched; no goroutine is started per
// request; there are no methods, no metadata, no deadlines, no errors.
//
// Its variants "copy" and "store" are the yardsticks for large bodies: a
// server that is nothing but io.Copy, and one that reads a body to its end
// before it writes it back, as an RPC must.
package main

import "github.com/goerpc/erpc/bench/rig"

func main() {
	rig.Main(
		rig.Variant{Name: "limit", Serve: serve, Dial: dial},
		rig.Variant{Name: "copy", Serve: serveCopy, Dial: dialCopy},
		rig.Variant{Name: "store", Serve: serveStore, Dial: dialStore},
	)
}
