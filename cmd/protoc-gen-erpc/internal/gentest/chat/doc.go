// Package chat is a case of the tests of protoc-gen-erpc.
package chat
