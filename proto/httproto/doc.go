// Package httproto is HTTP/1.1 as a wire format: between erpc peers byte for
// byte that of erpc v7, and for everybody else an honest HTTP server, so that
// curl, a browser or net/http can call handlers without knowing erpc.
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
// hb_. A key that can't be such a name fails the message. In values, control
// characters become spaces, and space around them is lost. A call can't carry a
// status, a failed reply no body, and codecs travel as content types
// ([RegBodyCodec]).
//
// # HTTP clients
//
// A request without X-Mtype is a CALL to the path of its target, by whatever
// method: GET, HEAD, POST, PUT, PATCH or DELETE unless [Config] says otherwise.
// Such requests may be pipelined; each is answered before the next is read.
//
//   - Header fields become metadata, then the pairs of the query do.
//   - The body is decoded by its Content-Type, whatever its parameters; JSON if
//     there is none. Without a body, the query is one, as a form: so a handler
//     whose argument is a struct or a map can be called with GET.
//   - The reply is encoded as what Accept prefers, if that is a registered type,
//     else as the request was; for forms, and if there was nothing, as JSON.
//   - The status is 200, or 400 to 599 as the code of a status that failed; 500
//     for any other code. The body then is the status as JSON.
//   - Content-Encoding: gzip is taken, and given to who accepts it. Chunked
//     bodies are taken. Expect: 100-continue, Connection, HTTP/1.0, HEAD and
//     OPTIONS are what they should be. With [CORS] a browser lets scripts of
//     other pages call.
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
// What two readers could take differently, since that is how requests are
// smuggled past a proxy: a length that is there twice, with a
// Transfer-Encoding, or no number; any encoding but chunked; folded lines, lines
// that do not end in CR LF, control characters, spaces in front of a colon; a
// request without Host, or with two. A line of more than 8 KiB, a head of more
// than 64 KiB or 128 fields, and a message above the read limit are refused by
// their status in HTTP. After such an answer the connection is closed. How long
// a client may take is the peer's IdleTimeout: nothing but whole messages
// counts.
package httproto
