// Package pbconflict lets one program import both proto/pbproto and
// mixer/websocket of erpc v7. Each of them registers a protobuf message named
// "pb.payload", and protobuf-go panics on the second one unless
// GOLANG_PROTOBUF_REGISTRATION_CONFLICT says otherwise. The two messages are
// never looked up by name, so that ignoring the conflict is harmless.
//
// This has to happen before the packages of v7 initialise, hence the init
// function. Its place is certain: Go initialises packages in the order of their
// import paths as soon as their imports are ready, this one imports nothing but
// os, and protobuf-go's "google.golang.org/..." sorts after
// "github.com/goerpc/...".
package pbconflict

import "os"

const policyVariable = "GOLANG_PROTOBUF_REGISTRATION_CONFLICT"

func init() {
	if os.Getenv(policyVariable) == "" {
		// Setenv fails only for a malformed name, which a constant is not.
		_ = os.Setenv(policyVariable, "ignore")
	}
}
