// Package protobuf is what the code of protoc-gen-erpc is built on. Programs use
// that code; of this package they may need [Caller] and [Broadcaster], which say
// what a generated client can be given.
//
// The file erpc/v1/erpc.proto in this directory holds the message that makes a
// method a push. docs/protobuf.md describes all of it.
package protobuf
