// Command erpc is erpc with its defaults: typed handlers, struct handlers,
// []byte bodies, and its two ways to push to many sessions. The protocol is
// the one that erpc v7 speaks.
package main

import "github.com/goerpc/erpc/bench/rig"

func main() {
	// A new transport or kind of handler that is to be measured becomes a
	// variant here and a line in cmd/erpcbench/peers.go.
	rig.Main(
		rig.Variant{Name: "typed", Serve: serve(handleTyped), Dial: dial(callMessage(pathTyped))},
		rig.Variant{Name: "vt", Serve: serve(handleVT), Dial: dial(callVT)},
		rig.Variant{Name: "struct", Serve: serve(handleStruct), Dial: dial(callMessage(pathStruct))},
		rig.Variant{Name: "loop", Serve: serveOver(overLoop, handleTyped), Dial: dialOver(overLoop, callMessage(pathTyped))},
		rig.Variant{Name: "bytes", Serve: serve(handleBytes), Dial: dial(callBytes)},
		rig.Variant{Name: "broadcast", Serve: servePush(broadcast), Dial: dialPush},
		rig.Variant{Name: "churn", Serve: servePush(broadcastToAll), Dial: dialPush},
		rig.Variant{Name: "guests", Serve: servePush(broadcastToAll), Dial: dialGuests},
		rig.Variant{Name: "push", Serve: servePush(pushEach), Dial: dialPush},
	)
}
