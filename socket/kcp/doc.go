// Package kcp is the transport of KCP, a reliable stream over UDP that trades
// bandwidth for latency. It has the networks "kcp", "udp", "udp4" and "udp6". The
// first two are the same; udp4 and udp6 choose the version of IP.
//
//	cfg := erpc.PeerConfig{Network: "kcp", Transports: []erpc.Transport{kcp.Transport{}}}
//
// KCP itself has neither a handshake nor an end: dialing an address where nobody
// listens succeeds, and a side does not learn that the other one has closed or is
// gone. So two peers of this package exchange hellos, send keepalives, and tell
// each other when they close (record.go). Peers of erpc v7 do not. A listener
// accepts both and tells them apart by the first bytes. To dial a server of v7, set
// [Config].V7. With v7 the end of the other side is noticed only by a layer above,
// such as a heartbeat, or when it acknowledges nothing for 15 s. What was written
// before Close is still sent, for at most two seconds.
//
// # Strangers
//
// Anybody can send a UDP packet with a forged source address. A listener keeps nothing
// about an address, and sends it no more bytes than it has received from it, until the
// address has sent back a cookie (gate.go). Every implementation of KCP does that
// without knowing, v7's too. A peer of this package gets its cookie before its hello;
// a peer of v7 loses its first packet and sends it again after 200 ms.
//
// At most [MaxHalfOpen] addresses, [MaxHalfOpenPerHost] of one host, may have sent
// the cookie back and nothing else yet; they get 5 s to go on. The packets of a
// session carry the number of its conversation, 32 random bits, which a forger has to
// guess to end a session or to put bytes into it. An attacker who can read the
// packets knows it: use TLS, which runs over KCP, or [Config].Block. With a Block
// there is no cookie, because packets without the key are dropped.
//
// # Options of a peer
//
// Keepalive is on by default, every 5 s; a side from which nothing has arrived for
// three of its own periods is gone. With no delay, the default, packets are sent and
// repeated at once and without congestion control; otherwise KCP uses its own
// defaults. The sizes of kernel buffers are those of the UDP socket. A listener can't
// be handed down to another process.
//
// Importing this package starts the timer goroutines of kcp-go, one for each
// processor and one more, which run until the process ends.
package kcp
