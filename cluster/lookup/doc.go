// Package lookup calls a service that has several instances. A [Client] finds
// them with a [Resolver], keeps a session with each instance that it uses, and
// sends each call to the instance that a [Picker] picks:
//
//	c := lookup.New(peer, lookup.DNS{Host: "chat.internal", Port: 9090}, lookup.Options{})
//	sum, err := erpc.Call[int](ctx, c, "/math/add", arg)
//
// An instance that can't be reached, fails, or is draining gets no calls as
// long as healthy ones exist. A call that was not executed is retried with
// another instance. While the resolver fails, the client keeps the last known
// set.
package lookup
