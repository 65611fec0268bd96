// Package acl is a plugin that decides which sessions may call and push to which
// methods, by the identity that package auth has found out.
//
// Rules are looked at in their order, and the first one that has the method
// decides. A method that no rule has is refused. The plugin works on a peer, on a
// group and on a route; it is asked when the handler is known and before the body
// is decoded. Heartbeats pass.
//
//	acl:
//	  rules:
//	  - {methods: [/public/*], allow: [anyone]}
//	  - {methods: [/admin/*], allow: ["role:admin", ann]}
//	  - {methods: ["*"], allow: [authenticated]}
//
// A call that is refused gets CodeUnauthorized if the session has no identity and
// [CodeForbidden] if it has one; a push is dropped.
package acl
