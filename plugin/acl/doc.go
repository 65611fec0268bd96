// Package acl is a plugin that decides which sessions may call and push to
// which methods, by the identity that package auth has established.
//
// Rules are checked in order, and the first one that lists the method decides.
// A method that no rule lists is refused. The plugin works on a peer, on a
// group and on a route. It decides after the handler was found and before the
// body is decoded. Heartbeats always pass.
//
//	acl:
//	  rules:
//	  - {methods: [/public/*], allow: [anyone]}
//	  - {methods: [/admin/*], allow: ["role:admin", ann]}
//	  - {methods: ["*"], allow: [authenticated]}
//
// A refused call gets CodeUnauthorized if the session has no identity and
// [CodeForbidden] if it has one; a refused push is dropped.
package acl
