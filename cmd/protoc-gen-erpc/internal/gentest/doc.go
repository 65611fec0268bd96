// Package gentest tests code that protoc-gen-erpc has made: its packages are the
// cases, and its tests run them.
package gentest
