// Package reflect is a plugin that tells which methods a peer has: their kind, the
// types of argument and result as JSON Schema, the descriptors of protobuf
// messages, and a line of documentation. The command erpc lists and describes
// methods with it.
//
// A peer without the plugin tells nothing. With it every session may ask, unless
// [Config.Allow] decides: what a server can do is worth knowing to an attacker, so
// give it an Allow on a port that strangers reach.
//
//	r := reflect.New(reflect.Config{Hide: []string{"/internal/"}})
//	p := erpc.NewPeer(erpc.PeerConfig{}, r)
//	erpc.HandleCall(p, "/math/add", add, r.Doc("adds numbers"))
//
// HTTP clients get [OpenAPIMethod], a description in OpenAPI.
//
// The plugin must be given to NewPeer, so that it sees each handler, and serves one
// peer. Its own methods are [ListMethod] and [DescribeMethod]; their arguments and
// results are [ListArg], [List], [DescribeArg] and [Descriptions].
package reflect
