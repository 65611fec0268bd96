// Package lookup calls a service that several instances serve. A [Client] finds
// them with a [Resolver], keeps a session with each that it needs, and sends each
// call to the one that a [Picker] picks:
//
//	c := lookup.New(peer, lookup.DNS{Host: "chat.internal", Port: 9090}, lookup.Options{})
//	sum, err := erpc.Call[int](ctx, c, "/math/add", arg)
//
// An instance that can't be reached, fails, or is leaving gets no calls as long as
// others do better; a call that was not executed is made with another. The set that
// was known last stays while the resolver fails.
package lookup
