// Package kcp is the transport of KCP, a reliable stream over UDP that trades
// bandwidth for latency. It has the networks "kcp", "udp", "udp4" and
// "udp6"; the first three are the same, the numbers choose the version of IP.
//
//	cfg := erpc.PeerConfig{Network: "kcp", Transports: []erpc.Transport{kcp.Transport{}}}
//
// KCP itself has neither a beginning nor an end: dialing nobody succeeds, and
// nobody learns that the other side has closed or is gone. So two peers of ours
// say hello, send keepalives, and say when they close (record.go). Peers of erpc
// v7 know none of that. A listener takes both: it tells them apart by the first
// bytes. To dial a server of v7, set [Config].V7. With v7 the end of the other side
// is noticed only by what is above, such as a heartbeat, or when it acknowledges
// nothing for 15 s; what was written before Close is still sent, for at most two
// seconds.
//
// # Strangers
//
// Anybody can send a UDP packet with a wrong sender. A listener keeps nothing about an
// address, and sends it no more bytes than came from it, until the address has sent
// back a cookie (gate.go), which every peer of KCP does without knowing, v7's too. A
// side of ours gets its cookie before its hello; one of v7 loses its first packet and
// sends it again after the 200 ms that KCP waits at first.
//
// At most [MaxHalfOpen] addresses, [MaxHalfOpenPerHost] of one host, may have done
// that without having said anything; they get 5 s for it. A session goes on only with
// the number of its conversation, 32 random bits, so that a wrong sender has to guess
// it to end a session or to put bytes into it. Who can read the packets knows it: use
// TLS, which is spoken over KCP, or [Config].Block. With a Block there is no cookie,
// because only those who have the key are listened to.
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
