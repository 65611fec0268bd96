// Package proto2 is a case of the tests of protoc-gen-erpc.
package proto2
