// Package gentest tests code that protoc-gen-erpc has generated: its
// subpackages are the cases, and its tests run them.
package gentest
