// Package names is a case of the tests of protoc-gen-erpc.
package names
