// Package eventloop is TCP for very many sessions that are mostly silent: while
// nothing comes on a connection, one event loop waits for all of them, and a
// session has no goroutine. It registers the networks "evtcp", "evtcp4" and
// "evtcp6", with TLS if the peer has a configuration. The wire is that of tcp.
//
//	cfg := erpc.PeerConfig{Network: "evtcp", Transports: []socket.Transport{&eventloop.Transport{}}}
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
// # Why not nbio or gnet
//
// See below.
package eventloop
