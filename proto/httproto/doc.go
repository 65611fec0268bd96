// Package httproto is HTTP as a wire format: between erpc peers byte for byte
// that of erpc v7, and for everybody else an HTTP server, that of net/http, so
// that curl, a browser or any program can call handlers without knowing erpc.
//
// # Between erpc peers
//
// A message of an erpc peer says so by its header X-Mtype. A CALL is
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
// where Author is metadata, and Host is what v7 leaves out. The reply is 200 OK
// or 299 Business Error, whose body is the status as JSON. Both ends may have
// many calls in flight, in both directions; X-Seq says what belongs together.
// Transfer filters are named by X-Content-Encoding, outermost first with commas
// in between; v7 knows gzip only, and one at a time.
//
// A PUSH is such a request with X-Mtype: 3. It is answered at once by 202
// Accepted, without a word on what its handler will make of it, and the sender
// drops that answer: so every request has its response, as proxies and HTTP
// servers expect. v7 does not send pushes over HTTP. It takes those of ours and
// answers nothing, which is in step too.
//
// Metadata keys are names of header fields and have no case of their own: they
// arrive as Like-This, whoever wrote them and however, but for X-Real-IP and
// hb_. A key that can't be such a name fails the message, but for those of a URL
// (see below), which are left out. In values, control characters become spaces,
// and space around them is lost. A call can't carry a status, a failed reply no
// body, and codecs travel as content types ([RegBodyCodec]).
//
// # Proxies
//
// A session of HTTP is not opened before the first request of its connection is
// there: only then is its sender known. Nothing is written to a client
// before. What an erpc peer has not written itself, because a proxy has changed
// it, is served as an HTTP client's, so an erpc client may call through any
// reverse proxy; pushes and calls of the server do not reach it then, nor does a
// cancel reach the handler. To a client that is connected directly, the server's
// control messages are interim responses (102), never requests.
//
// # HTTP clients
//
// A request without X-Mtype is a CALL to the service method that is the path of
// its target, or that a [Route] names. Package httpgate has the handler, which
// can also be mounted in another server (erpc.HTTPHandler).
//
//   - HTTP/1.0 and 1.1, and HTTP/2 without TLS; over TLS too if the peer's TLS
//     configuration has "h2" and "http/1.1" in NextProtos.
//   - GET and HEAD call only handlers that are marked by erpc.Safe, because any
//     page can make its visitor send one; POST, PUT, PATCH and DELETE call all.
//     [Config.UnsafeGET] lets GET call all, as v7 did.
//   - Requests that a browser sends for a page of another origin are refused, but
//     for those of [CORS]. [Config.Hosts] are the names that the server goes by.
//   - Header fields become metadata under their name; pairs of the query under a
//     question mark and their name, "?page"; parameters of a route in braces,
//     "{id}". No header field can have such a name.
//   - The body is decoded by its Content-Type, whatever its parameters; without
//     that it is refused (415). Without a body, the parameters of path and query
//     are one, as a form: so a handler whose argument is a struct or a map can be
//     called with GET.
//   - The reply is encoded as what Accept prefers, if that is a registered type,
//     else as the request was; for forms, and if there was nothing, as JSON.
//   - The status is 200, or 400 to 599 as the code of a status that failed; 500
//     for any other code. The body then is the status as JSON. What is not HTTP is
//     refused by net/http, in its words.
//   - Content-Encoding: gzip is taken, and given to who accepts it.
//   - A client that goes away ends the context of its handler.
//   - A bearer token in Authorization is what a checker of plugin/auth is shown.
//   - A handler can't call or push to such a client. It may set header fields of
//     the reply as metadata, and render pages with [HTML].
//
// # HTTP servers
//
// A dialed session may call any HTTP server, by a path or by an absolute URL
// whose host is that of the header Host; the connection is the session's. Calls
// are pipelined and matched in their order. A 2xx is success; the status of any
// other reply is its body, if that is one, or its number. Pushes to such a
// server are refused.
//
// # What is refused
//
// Between erpc peers, what two readers could take differently, since that is how
// requests are smuggled: a length that is there twice, or no number; chunks in a
// request; folded lines, lines that do not end in CR LF, control characters,
// spaces in front of a colon. A line of more than 8 KiB, a head of more than
// 64 KiB or 128 fields, and a message above the read limit are refused by their
// status in HTTP, and so is a request without X-Mtype on the connection of an
// erpc peer. After such an answer the connection is closed. How long a client
// may take is the peer's IdleTimeout: nothing but whole messages counts.
package httproto
