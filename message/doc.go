// Package message defines what travels between two peers: a header (sequence
// number, type, service method, status, metadata) and a body. It knows how a body
// is encoded and filtered, but not how a message is framed; that is the task of
// package proto.
package message
