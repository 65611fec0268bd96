// Package mux serves many protocols on one listener: it looks at the first bytes
// of each connection, without consuming them, and hands the connection to the
// listener whose rule they match.
//
//	m := mux.New(lis, mux.Config{TLS: certificate})
//	go peer.Serve(m.Match(mux.Raw), rawproto.NewRawProtoFunc())
//	go peer.Serve(m.Match(mux.Thrift), thriftproto.NewStockProtoFunc(stock))
//	go websocketServer.Serve(m.Match(mux.WebSocket))
//	go peer.Serve(m.Match(mux.HTTP), httproto.NewHTTProtoFunc())
//	err := m.Serve()
//
// A slow or silent connection does not hold up others: each is looked at on its
// own, for at most [Config.Timeout] and [Config.Peek] bytes, and is closed when no
// rule matches. So the dialing side must speak first, as it does in all protocols
// of erpc once it calls. A peer that dials and only waits for pushes has to send
// something first, a call or an auth message, unless it has a port of its own.
//
// A graceful restart hands down the listener below if a peer's Listen has made it;
// the new process builds the mux again.
package mux
