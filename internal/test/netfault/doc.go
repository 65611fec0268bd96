// Package netfault tests peers on a network that breaks: two network namespaces of
// Linux, joined by a cable that the test unplugs. Neither side learns of that from
// its kernel, as it would on loopback, so the tests prove that erpc finds out by
// itself. The package contains only tests, which run with ERPC_NETFAULT=1 as root.
package netfault
