// Package calculator is what the thrift compiler makes of calculator.thrift, for
// the tests with stock clients and servers.
package calculator
