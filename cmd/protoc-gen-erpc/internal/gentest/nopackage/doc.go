// Package nopackage is a case of the tests of protoc-gen-erpc.
package nopackage
