// Package message defines what travels between two peers: a header (sequence
// number, type, service method, status, metadata) and a body. It knows how a
// body is encoded and filtered, not how a message is framed; that is the
// business of package proto.
package message
