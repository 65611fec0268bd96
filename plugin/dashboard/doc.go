// Package dashboard shows in a browser what a peer does: rates, methods, slow
// calls, sessions, streams, rooms, limits, and a form that calls its methods.
//
// A [Dashboard] is a plugin of one peer and an [http.Handler]. It serves itself on
// a loopback address,
//
//	d := dashboard.New(dashboard.Config{Listen: "127.0.0.1:9091"})
//	p := erpc.NewPeer(erpc.PeerConfig{ListenPort: 9090}, d)
//
// or is mounted on any path of a server of the program; its pages use relative
// addresses only, so it does not need to know the path:
//
//	mux.Handle("/debug/erpc/", d)
//
// It only shows, unless [Config.Actions] lets it end sessions, push, call methods
// and set the level of the log. Then [Config.Authorize] must say who may do that.
//
// The peer keeps five minutes of history, so that a page that is opened, or loaded
// again, has it. Recording costs less than a thousandth of a processor when nobody
// looks, however many sessions there are; see [Config]. Lists are bounded by what
// the peer holds, not by what strangers send: a method that nobody has registered
// has no row.
package dashboard
