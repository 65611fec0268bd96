// Package netfault is tests of peers on a network of its own that breaks: two
// network namespaces of Linux, joined by a cable of which the test pulls the
// plug. No side learns of that from its kernel, as it would on loopback, so the
// tests prove that erpc finds out by itself. It holds nothing but tests, which
// run with ERPC_NETFAULT=1 and as root.
package netfault
