// Package samepackage is a case of the tests of protoc-gen-erpc.
package samepackage
