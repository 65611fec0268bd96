// Package httpgate serves clients that speak plain HTTP: browsers, curl,
// net/http, by net/http's server. A [Handler] is an [http.Handler], so it can be
// mounted anywhere, behind anybody's middleware, over HTTP/1.1, HTTP/2 and
// HTTP/3. Package httproto hands it the connections of its listeners.
//
// To the peer an HTTP client is a session like any other, over an in-memory
// connection: hooks, ids and every limit apply to it. Its remote address is that
// of the client. It is one session a connection; behind another program's
// server, and for a request whose Authorization differs from that of the
// connection's first, it is one a request.
//
// A request is a CALL: to the service method that is its path, or that a [Route]
// names. docs/protocols.md has the details.
package httpgate
