// Package proto defines what a wire format is: something that turns a message into
// one frame and back. Formats do no I/O of their own and make no callbacks, so
// each is a pure function over bytes that can be fuzzed, replayed against golden
// bytes and used over every transport. The formats themselves are in the packages
// below this one.
package proto
