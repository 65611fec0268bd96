// Package proxy is a plugin that forwards the calls, pushes and streams for which
// a peer has no handler to other peers.
//
// It forwards the service method, the bytes of the body with the ID of their
// codec, the metadata in its order, and the transfer filters. Bodies are never
// decoded, so a proxy needs neither the types nor the codecs of what it forwards.
// Filters are undone and applied again, so the proxy must have those registered.
// The deadline of the caller bounds the forwarded call, and the backend is told
// how much of it is left; a caller that cancels, or whose connection ends, cancels
// the call at the backend as well.
//
// The reply carries the body with its codec, the metadata and the status of the
// backend. Only a status about the connection to the backend is replaced, by
// CodeBadGateway: the caller's own connection is not the broken one.
//
// # Streams
//
// A stream is opened at the backend with the method, codec, filters and metadata
// of the client's, and its messages are passed on as they are, in both directions.
// The proxy takes a message from one side when the other has room for it: a
// program that does not receive holds back the one that sends, through the proxy,
// which keeps the windows of both streams and a message in each direction. The
// end of each side's messages, the metadata that comes with it, the status,
// deadline, cancellation and draining are passed on as well: a client hears that the
// backend shuts down, and the backend that the client or the proxy does.
//
// # Metadata
//
// Metadata whose name begins with X-Erpc- is between neighbours and not
// forwarded, in whatever case it is written. Neither is what would tell an HTTP
// backend who the client is or which virtual host is meant: X-Real-IP is the
// address of the client's connection, and Host, Forwarded and X-Forwarded-* are
// dropped, unless [Config] trusts the client. Service methods that are absolute
// URLs are refused.
//
// X-Erpc-Hops counts the proxies that a message has passed. After
// [Config].MaxHops it is not forwarded again, so that proxies that forward to
// each other do not pass it round without end.
//
// # Bounds
//
// [Config].MaxInFlight messages of a client are forwarded at the same time.
// Those above it wait for their turn, first come, first served, as handlers of
// the client's session: MaxSessionHandlers and InflightLimit of the peer bound
// them, and slow the client down. The proxy goes on reading all the while, since
// the replies to the clients of a hub come in over the connections of other
// clients. A call that waits longer than MaxWait ends with CodeExhausted; it was
// not forwarded.
//
// Streams take no turn: MaxStreams of the peer bounds those of a client, and
// StreamMemory all of them.
package proxy
