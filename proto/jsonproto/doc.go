// Package jsonproto is a wire format that people and scripts can read: JSON in a
// binary envelope. It is that of erpc v7, byte for byte where v7 writes valid
// JSON:
//
//	4  length, big endian, of all that follows
//	1  number n of transfer filters
//	n  filter IDs, outermost first; what follows went through the filters
//	.. {"seq":1,"mtype":1,"serviceMethod":"/math/add","status":"code=0",
//	   "meta":"author=andeya","bodyCodec":106,"body":"[1,2,3]"}
//
// The text has no white space and its fields are in this order; status and
// metadata are query text, the body is a string that holds the encoded body. A
// reader accepts any order, white space, unknown fields, fields that are missing
// or null, and a body that is another JSON value than a string, whose text is then
// the encoded body. If a field is repeated, the first one counts, as in v7. An
// empty frame is malformed.
//
// # Bodies
//
// A body is escaped as JSON requires: quote, backslash and the bytes below 0x20.
// Bytes that are not UTF-8 are sent as they are. So every body, binary ones
// included, survives between two peers of this package and on the way to v7, whose
// reader undoes the same escapes and passes other bytes through. But the text
// around a body that is not UTF-8 is not UTF-8 either: encoding/json accepts it
// and replaces such bytes; a stricter reader refuses it. If programs other than
// erpc read the messages, send UTF-8, or use another protocol for binary bodies.
//
// # What v7 writes
//
// v7 escapes method, status and metadata as Go source does (\a, \v, \x7f,
// \U0001f600), which is not JSON, but is accepted here. In a body it escapes only
// the quote, so a body with a backslash or a control byte does not mean what was
// encoded. The wire does not tell which version wrote a message, so such a body is
// read as v7 itself reads it, by the rules of JSON:
//
//   - \n from v7 is a line feed here, even if v7 meant a backslash and an n.
//   - The body ends at the first quote that is not escaped, even if more of it
//     follows (it had a backslash before a quote). Decoding then usually fails,
//     which answers the call with status 400.
//
// Three things are read better, because v7 silently loses data there. Control
// bytes stand for themselves (v7 ends the body there), as does a backslash that
// does not begin an escape (likewise). A body without an end, because its last
// byte was a backslash, extends to the end of the message and only its quotes are
// unescaped, which gives the original body (v7 reads nothing).
package jsonproto
