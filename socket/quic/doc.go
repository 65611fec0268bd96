// Package quic is the transport of QUIC: each session is one stream of a QUIC
// connection and is always encrypted. It has the network "quic".
//
//	p := erpc.NewPeer(erpc.PeerConfig{Network: "quic", Transports: []erpc.Transport{&quic.Transport{}}})
//	p.SetTLSConfig(tlsConfig) // needed on both sides
//
// [Transport] has options that share connections and configure quic-go.
//
// # Application protocols
//
// If the TLS configuration names no protocols (NextProtos), "erpc" is offered and
// preferred, then "http/1.1" and "h2", which erpc v7 uses. With "erpc" both sides use
// this package: the dialing side sends one byte when it opens a stream, so that the
// other side may speak first, and a connection may have many streams. With any other
// protocol only what the session writes is sent, and a connection has one stream, as
// in v7: what an accepted session writes then waits until the other side has sent
// something.
//
// # Options of a peer
//
// Keepalive is on by default, every 15 s. The sizes of kernel buffers are those of the
// UDP socket. There is no option for delay, because QUIC has none. A listener can't be
// handed down to another process.
//
// If the system grants smaller UDP buffers than quic-go would like, quic-go logs that
// once. This package turns the line off by the environment variable
// QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING, unless it is set already.
package quic
