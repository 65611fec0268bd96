// Package websocket carries erpc over WebSocket (RFC 6455, by coder/websocket): a
// transport for the networks ws and wss, a handler for an HTTP server of the
// user's, and the connection behind both.
//
// A connection carries either a stream of bytes, for protocols that frame
// themselves ([Config.Messages] false), or whole messages, for the
// sub-protocols that erpc v7 and browsers speak (jsonproto.NewSubProtoFunc,
// pbproto.NewSubProtoFunc): then each erpc message is one binary message of
// WebSocket, however the socket batches what it writes. Text messages are read
// like binary ones.
//
// Package mixer/websocket has the functions of erpc v7 on top.
package websocket
