// Package proxy is a plugin that forwards calls, pushes and streams to other
// peers if its own peer has no handler for them.
//
// It forwards the service method, the bytes of the body with the ID of their
// codec, the metadata in order, and the transfer filters. Bodies are never
// decoded, so a proxy needs neither the types nor the codecs of the messages.
// Filters are undone and applied again, so they must be registered at the
// proxy. The deadline of the caller bounds the forwarded call, and the backend
// is told how much of it is left; a caller that cancels, or whose connection
// ends, cancels the call at the backend as well.
//
// The reply carries the body with its codec, the metadata and the status of the
// backend. A status about the connection to the backend is replaced by
// CodeBadGateway, because the caller's own connection is not broken.
//
// # Streams
//
// The proxy opens a stream at the backend with the method, codec, filters and
// metadata of the client's stream, and passes messages on unchanged, in both
// directions. It reads a message from one side only when the other side has
// room, so a receiver that does not read slows the sender down through the
// proxy. The proxy holds at most the windows of both streams and one message in
// each direction. It also passes on the end of each side's messages with its
// metadata, the status, the deadline, cancellation and draining: the client
// learns that the backend shuts down, and the backend that the client or the
// proxy does.
//
// # Metadata
//
// Metadata whose name begins with X-Erpc-, in any case, is hop-by-hop and not
// forwarded. Metadata that tells an HTTP backend who the client is or which
// virtual host it wants is not forwarded either: X-Real-IP is set to the
// address of the client's connection, and Host, Forwarded and X-Forwarded-* are
// dropped, unless [Config] trusts the client. Service methods that are absolute
// URLs are refused.
//
// X-Erpc-Hops counts the proxies that a message has passed. After
// [Config].MaxHops proxies, a message is not forwarded again, so that proxies
// that forward to each other do not loop.
//
// # Bounds
//
// At most [Config].MaxInFlight messages of a client are forwarded at the same
// time. Further ones wait for their turn in order of arrival. They count as
// handlers of the client's session, so MaxSessionHandlers and InflightLimit of
// the peer bound them and slow the client down. The proxy keeps reading
// meanwhile, because in a hub the replies for one client arrive on the
// connections of other clients. A call that waits longer than MaxWait ends with
// CodeExhausted; it was not forwarded.
//
// Streams do not wait for a turn: MaxStreams of the peer bounds the streams of
// a client, and StreamMemory all streams.
package proxy
