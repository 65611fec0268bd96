// Package reflect is a plugin that describes the methods of a peer: their kind,
// the types of argument and result as JSON Schema, the descriptors of protobuf
// messages, and a line of documentation. The command erpc lists and describes
// methods with it.
//
// A peer without the plugin reveals nothing. With it, every session may ask,
// unless [Config.Allow] restricts that. The list of methods helps attackers, so
// set Allow on a port that untrusted clients can reach.
//
//	r := reflect.New(reflect.Config{Hide: []string{"/internal/"}})
//	p := erpc.NewPeer(erpc.PeerConfig{}, r)
//	erpc.HandleCall(p, "/math/add", add, r.Doc("adds numbers"))
//
// For HTTP clients, [OpenAPIMethod] returns a description in OpenAPI.
//
// Pass the plugin to NewPeer, so that it sees each handler. It serves one peer.
// Its own methods are [ListMethod] and [DescribeMethod]; their arguments and
// results are [ListArg], [List], [DescribeArg] and [Descriptions].
package reflect
