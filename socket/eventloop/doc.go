// Package eventloop is TCP for very many sessions that are mostly idle: one event
// loop waits for all idle connections, and an idle session has no goroutine. It
// registers the networks "evtcp", "evtcp4" and "evtcp6", with TLS if the peer has
// a configuration. The wire is that of tcp.
//
//	cfg := erpc.PeerConfig{Network: "evtcp"} // erpc.NewPeer has the transport
//
// # How it works
//
// A connection is a [net.TCPConn] with all of its methods. A busy session reads from
// it as it does over tcp, so calls cost the same. When the session has been silent
// for about 30 ms, its goroutine ends, and the loop starts another one when there is
// something to read, the session's age is over or the connection ends. The loop runs
// while there are connections, as one goroutine that the runtime parks like any
// other. It uses epoll; on systems other than Linux the networks are those of tcp
// under another name.
//
// # TLS
//
// crypto/tls works over it unchanged, and its buffer is never forgotten: a session
// goes to sleep only after a read has found nothing. But an idle session keeps the
// state of crypto/tls, 7 to 8 KB more than a plain one: 3.4 KB are buffers that grew
// in the handshake, 1.7 KB the key schedule of AES-GCM, 0.9 KB the tls.Conn. None of
// that can be released. Session tickets account for only 2 % of it, so they stay on.
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
// They save some 500 bytes and lack what a session relies on. In nbio a Read does not
// block, a Write queues without a bound, a deadline that passes closes the connection, and
// the methods are hidden from the race detector. gnet allows a connection to be used only
// on its own loop and supports neither deadlines nor TLS. Either would need a queue,
// timers and blocking reads of ours on top of each connection, which would take about the
// memory saved and make calls slower. With net.TCPConn they pay nothing: an idle erpc
// session takes about 2,250 bytes in all (TestIdleMemory with 20,000; 2,500 with 5,000,
// which share less of what a process has once), and one over tcp 5,250.
package eventloop
