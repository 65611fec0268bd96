// Package eventloop is TCP for very many sessions that are mostly silent: while
// nothing comes on a connection, one event loop waits for all of them, and a
// session has no goroutine. It registers the networks "evtcp", "evtcp4" and
// "evtcp6", with TLS if the peer has a configuration. The wire is that of tcp.
//
//	cfg := erpc.PeerConfig{Network: "evtcp"} // erpc.NewPeer has the transport
//
// # How it works
//
// A connection is a [net.TCPConn], with all that it can do. A session that is
// busy reads from it as it does over tcp, so calls cost the same. When it has been
// silent for about 30 ms its goroutine leaves, and the loop starts another when there
// is something to read, the session's age is over or the connection ends. The loop
// runs while there are connections, and is one goroutine that the runtime parks like
// any other. It is made of epoll; on other systems than Linux the networks are
// those of tcp under another name.
//
// # TLS
//
// crypto/tls works over it unchanged, and what it has buffered is never left
// lying: a session goes to sleep only when a read has found nothing. But an idle
// session keeps the state of crypto/tls, 7 to 8 KB more, and is far above the bar of a
// plain one: 3.4 KB are buffers that grew in the handshake, 1.7 KB what AES-GCM has
// made of the keys, 0.9 KB the tls.Conn, and there is no way to have it give any of
// that back. Without session tickets it is 2 % less, so they stay.
//
// # Why not nbio or gnet
//
// Resident bytes of a server for each idle connection that had echoed one byte, over
// 10,000 or more of them (net.TCPConn with a goroutine each: 3,506):
//
//	nbio v1.6.8                       407
//	gnet v2.10.0                      440
//	net.TCPConn and epoll, as here    939
//
// They save some 500 bytes and lack what a session stands on. A Read of nbio
// does not wait, a Write queues without a bound, a deadline that passes closes
// the connection, and its methods are hidden from the race detector. gnet owns the loop on
// which a connection may be used, offers no deadlines (they are not supported) and no TLS.
// Either would need a queue, timers and blocking reads of ours on top of each
// connection, at about the memory saved, and calls would pay for it. With
// net.TCPConn they pay nothing: an idle erpc session takes about 2,250 bytes in all
// (TestIdleMemory with 20,000; 2,500 with 5,000, which share less of what a process
// has once), and one over tcp 5,250.
package eventloop
