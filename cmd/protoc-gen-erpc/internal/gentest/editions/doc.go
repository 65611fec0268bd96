// Package editions is a case of the tests of protoc-gen-erpc.
package editions
