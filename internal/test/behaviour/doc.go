// Package behaviour is only tests: one suite of what peers do with each other, over
// every protocol on every transport that can carry it. What can't combine, or can't
// be done, stands in the tables with the reason. docs/protocols.md shows the result.
package behaviour
