// Package dashboard shows in a browser what a peer is doing: rates, methods,
// slow calls, sessions, streams, rooms, limits, and a form that calls its
// methods.
//
// A [Dashboard] is a plugin of one peer and an [http.Handler]. It listens on a
// loopback address of its own,
//
//	d := dashboard.New(dashboard.Config{Listen: "127.0.0.1:9091"})
//	p := erpc.NewPeer(erpc.PeerConfig{ListenPort: 9090}, d)
//
// or is mounted on any path of an HTTP server of the program; its pages only
// use relative URLs, so it does not need to know the path:
//
//	mux.Handle("/debug/erpc/", d)
//
// It is read-only, unless [Config.Actions] allows ending sessions, pushing,
// calling methods and setting the log level. Then [Config.Authorize] must
// decide who may do that.
//
// The peer keeps five minutes of history, which a page shows as soon as it is
// opened. Recording costs less than a thousandth of a CPU core while no page is
// open, however many sessions there are. The size of lists depends on what the
// peer holds, not on what clients send: an unregistered method has no row.
package dashboard
