// Package quic is the transport of QUIC: each session is one stream of a QUIC
// connection, encrypted always. It has the network "quic".
//
//	p := erpc.NewPeer(erpc.PeerConfig{Network: "quic", Transports: []erpc.Transport{&quic.Transport{}}})
//	p.SetTLSConfig(tlsConfig) // needed on both sides
//
// [Transport] has options that share connections and configure quic-go.
//
// # Application protocols
//
// Where the TLS configuration names no protocols (NextProtos), "erpc" is
// offered and taken first, then "http/1.1" and "h2", which is what erpc v7
// has. With "erpc" both sides are of this package: the side that dials sends one byte
// when it opens a stream, so that the other may speak first, and a connection may have
// many streams. With any other protocol nothing is sent but what the session
// sends, and a connection has one stream, as v7 has it: what an accepted
// session writes then waits until the other side has said something.
//
// # Options of a peer
//
// Keepalive is on by default, every 15 s. The size of kernel buffers is that of the UDP
// socket. There is no option for delay, because QUIC knows none. A
// listener can't be handed down to another process.
//
// If the system grants less than the UDP buffers that quic-go would like, quic-go logs
// that once; this package turns that off through its environment variable
// QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING, unless that is set already.
package quic
