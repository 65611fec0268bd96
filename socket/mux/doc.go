// Package mux serves many protocols on one listener: it looks at the first bytes
// of each connection, without taking them away, and hands the connection to the
// listener whose rule they match.
//
//	m := mux.New(lis, mux.Config{TLS: certificate})
//	go peer.Serve(m.Match(mux.Raw), rawproto.NewRawProtoFunc())
//	go peer.Serve(m.Match(mux.Thrift), thriftproto.NewStockProtoFunc(stock))
//	go websocketServer.Serve(m.Match(mux.WebSocket))
//	go peer.Serve(m.Match(mux.HTTP), httproto.NewHTTProtoFunc())
//	err := m.Serve()
//
// Nobody waits for a connection that is slow or says nothing: each is looked at on
// its own, for [Config.Timeout] and [Config.Peek] bytes at most, and is closed when
// no rule matches. So it must be the dialing side that speaks first, as it does
// in all of erpc's protocols once it calls. A peer that dials and then waits for
// pushes has to send something before, a call or an auth message; on a port that
// is for it alone this is not needed.
//
// A graceful restart hands the listener below down, if a peer's Listen has made it;
// the new process builds the mux again.
package mux
