// Package settings is a case of the tests of protoc-gen-erpc.
package settings
