// Package httproto is HTTP as a wire format: between erpc peers byte for byte that
// of erpc v7, and for all other clients the HTTP server of net/http, so that curl,
// a browser or any program can call handlers without knowing erpc.
//
// # Between erpc peers
//
// A message of an erpc peer has the header X-Mtype. A CALL is
//
//	POST /math/add HTTP/1.1
//	Accept-Encoding: gzip
//	Author: andeya
//	Content-Length: 7
//	Content-Type: application/json;charset=utf-8
//	Host: 127.0.0.1:9090
//	User-Agent: erpc-httproto/1.1
//	X-Mtype: 1
//	X-Seq: 1
//
//	[1,2,3]
//
// where Author is metadata, and v7 does not send Host. The reply is 200 OK, or 299
// Business Error, whose body is the status as JSON. Both ends may have many calls
// in flight; X-Seq tells which reply belongs to which call. X-Content-Encoding
// names the transfer filters, outermost first, separated by commas; v7 knows only
// gzip, and only one filter.
//
// A PUSH is such a request with X-Mtype: 3. It is answered at once by 202
// Accepted, whatever its handler will return, and the sender drops that answer. So
// every request has its response, as proxies and HTTP servers expect. v7 does not
// send pushes over HTTP. It accepts ours without an answer, which keeps calls and
// replies in step too.
//
// Metadata keys are names of header fields, whose case is not preserved: they
// arrive as Like-This, except X-Real-IP and hb_. A message with a key that can't
// be such a name fails; keys that come from a URL (see below) are left out. In
// values, control characters become spaces, and space around them is lost. A call
// can't carry a status, and a failed reply can't carry a body. Codecs travel as
// content types ([RegBodyCodec]).
//
// # Proxies
//
// A session of HTTP is opened only after the first request of its connection has
// arrived, because only then its sender is known. Before that nothing is written
// to a client. A request of an erpc peer that a proxy has changed is served like
// one of an HTTP client, so an erpc client may call through any reverse proxy; but
// pushes and calls of the server do not reach it then, nor does a cancel reach the
// handler. To a client that is connected directly, the server sends control
// messages as interim responses (102), never as requests.
//
// # HTTP clients
//
// A request without X-Mtype is a CALL. Its service method is the path of its
// target, or the one that a [Route] names. Package httpgate has the handler, which
// can also be mounted in another server (erpc.HTTPHandler).
//
//   - HTTP/1.0 and 1.1, and HTTP/2 without TLS; over TLS too if the peer's TLS
//     configuration has "h2" and "http/1.1" in NextProtos.
//   - GET and HEAD may call only handlers marked by erpc.Safe, because any
//     page can make its visitor send one; POST, PUT, PATCH and DELETE call all.
//     [Config.UnsafeGET] lets GET call all, as v7 did.
//   - Requests that a browser sends for a page of another origin are refused, except
//     those of [CORS]. [Config.Hosts] are the names of the server.
//   - Header fields become metadata under their name; pairs of the query under a
//     question mark and their name, "?page"; parameters of a route under their name in
//     braces, "{id}". No header field can have such a name.
//   - The body is decoded by its Content-Type, whatever its parameters; a body without
//     one is refused (415). Without a body, the parameters of path and query
//     are the body, as a form, so a handler whose argument is a struct or a map can be
//     called with GET.
//   - The reply is encoded as what Accept prefers, if that is a registered type,
//     else as the request was; for forms and requests without a body, as JSON.
//   - The status is 200, or 400 to 599 as the code of a status that failed; 500
//     for any other code. The body then is the status as JSON. Malformed HTTP is
//     refused by net/http, with its texts.
//   - Content-Encoding: gzip is accepted, and used for clients that accept it.
//   - A client that goes away ends the context of its handler.
//   - A bearer token in Authorization is passed to a checker of plugin/auth.
//   - A handler can't call or push to such a client. It may set header fields of
//     the reply as metadata, and render pages with [HTML].
//
// # HTTP servers
//
// A dialed session may call any HTTP server, by a path or by an absolute URL,
// whose host becomes the header Host; the connection remains that of the session.
// Calls are pipelined and matched in order. A 2xx is a success; the status of any
// other reply is its body, if that is a status, or its number. Pushes to such a
// server are refused.
//
// # What is refused
//
// Between erpc peers, everything that two readers could interpret differently is
// refused, because that allows request smuggling: a duplicate length, or one that
// is not a number; chunks in a request; folded lines, lines that do not end in CR
// LF, control characters, spaces before a colon. A line of more than 8 KiB, a head
// of more than 64 KiB or 128 fields, and a message above the read limit are
// refused by their HTTP status, as is a request without X-Mtype on the connection
// of an erpc peer. After such an answer the connection is closed. The peer's
// IdleTimeout bounds how long a client may take: only whole messages count.
package httproto
