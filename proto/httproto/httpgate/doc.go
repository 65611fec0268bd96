// Package httpgate serves clients that speak plain HTTP: browsers, curl,
// net/http, by net/http's server. A [Handler] is an [http.Handler], so it can be
// mounted in any server, behind any middleware, over HTTP/1.1, HTTP/2 and HTTP/3.
// Package httproto passes it the connections of its listeners.
//
// To the peer an HTTP client is a session like any other, over an in-memory
// connection: hooks, ids and every limit apply to it. Its remote address is that
// of the client. There is one session for each connection. Behind another
// program's server, and for a request whose Authorization differs from that of the
// connection's first one, there is one for each request.
//
// A request is a CALL. Its service method is its path, or the one that a [Route]
// names. docs/protocols.md has the details.
package httpgate
