// Package websocket has the functions with which erpc v7 serves and dials over
// WebSocket: a [Server] with its own HTTP server, handlers for an existing HTTP
// server, a [Client], and authentication in the handshake. Messages are those
// of v7's JSON and protobuf sub-protocols, which browsers can speak as well
// (clients/js).
//
// The transport itself, for peers whose configuration names the network ws or
// wss, is in package socket/websocket.
package websocket
