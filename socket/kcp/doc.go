// Package kcp is the transport of KCP, a reliable stream over UDP that trades
// bandwidth for latency. It registers the networks "kcp", "udp", "udp4" and
// "udp6"; the first three are the same, the numbers choose the version of IP.
//
//	cfg := erpc.PeerConfig{Network: "kcp"}
//
// A peer of erpc.NewPeer has the transport with its defaults; one with another
// [Config] is added to PeerConfig.Transports.
//
// KCP itself has neither a beginning nor an end: dialing nobody succeeds, and
// nobody learns that the other side has closed or is gone. So two peers of ours
// say hello, send keepalives, and say when they close (record.go). Peers of erpc
// v7 know none of that. A listener takes both: it tells them apart by the first
// bytes. To dial a server of v7, set [Config].V7. With v7 the end of the
// other side is noticed only by what is above, such as a heartbeat; what
// was written before Close is still sent, for at most two seconds.
//
// With a TLS configuration, TLS is spoken over KCP. Otherwise anybody who can
// send UDP packets with a wrong sender can end a connection or put bytes into
// it, unless [Config].Block is set.
//
// # Options of a peer
//
// Keepalive is on by default, every 5 s; another side that has said nothing for
// three of its own periods is gone. With no delay, the default, packets are sent
// and repeated at once and without congestion control; without it, as KCP does
// by itself. The size of kernel buffers is that of the UDP socket. A listener can't be
// handed down to another process.
//
// Importing this package starts the timer goroutines of kcp-go, one for each
// processor and one more, which last as long as the process.
package kcp
