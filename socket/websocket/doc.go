// Package websocket carries erpc over WebSocket (RFC 6455, by coder/websocket): a
// transport for the networks ws and wss, a handler for an HTTP server of the
// user's, and the connection behind both.
//
// A connection carries either a stream of bytes, for protocols that frame
// themselves ([Config.Messages] false), or whole messages, for the
// sub-protocols that erpc v7 and browsers speak (jsonproto.NewSubProtoFunc,
// pbproto.NewSubProtoFunc): then each erpc message is one binary message of
// WebSocket, however the socket batches what it writes. Text messages are read
// like binary ones, and answered with text.
//
// A side that breaks the protocol is told so by the code of the close frame: 1007 for
// text that is not UTF-8, 1009 for a message whose head announces too much, 1002 for
// the rest.
//
// # Browsers
//
// A page may connect to the host that serves it, and to servers whose [Config].Origins
// lists the page's origin. A page can't see why a handshake was refused; one that
// offers the sub-protocol [RefusedProtocol], as clients/js does, is let in and told by
// the code of the close frame, which is 4000 and the code of HTTP.
//
// Package mixer/websocket has the functions of erpc v7 on top.
package websocket
