// Package jsonproto is a wire format that people and scripts can read: JSON in
// a binary envelope. It is that of erpc v7, byte for byte wherever what v7
// writes is JSON:
//
//	4  length, big endian, of all that follows
//	1  number n of transfer filters
//	n  filter IDs, outermost first; what follows went through the filters
//	.. {"seq":1,"mtype":1,"serviceMethod":"/math/add","status":"code=0",
//	   "meta":"author=andeya","bodyCodec":106,"body":"[1,2,3]"}
//
// The text has no white space and its fields are in this order; status and
// metadata are query text, the body is a string that holds the encoded body.
// A reader takes any order, white space, unknown fields, fields left out or
// null, and a body that is not a string but any other JSON value, which then
// is the encoded body as it stands. Of a field that is there twice, the first
// counts, as it does for v7. An empty frame is malformed.
//
// # Bodies
//
// A body is escaped as JSON asks: quote, backslash and the bytes below 0x20,
// nothing else. Bytes that are not UTF-8 go as they are. So every body
// survives, binary ones included, between two of this package and on the way
// to v7, whose reader undoes the same escapes and passes other bytes through.
// But the text around a body that is not UTF-8 isn't either: encoding/json
// takes it, and replaces such bytes; a stricter reader refuses it. Where others
// than erpc read along, send UTF-8, or binary bodies with another protocol.
//
// # What v7 writes
//
// v7 escapes method, status and metadata as Go source does (\a, \v, \x7f,
// \U0001f600), which is not JSON; it is read all the same. In a body it escapes
// nothing but the quote, so that what it writes for a body with a backslash or
// a control byte is not what it means. Nothing on the wire tells who wrote a
// message, so such a body is read as v7 itself reads it, by the rules of JSON:
//
//   - \n from v7 is a line feed here, whether it meant that or not.
//   - The body ends at the first quote that is not escaped, even if more of it
//     follows (it had a backslash before a quote). Decoding then usually fails,
//     which answers the call with status 400.
//
// Three things are read better, because v7 loses data there without a word:
// control bytes stand for themselves (v7 ends the body there), so does a
// backslash that begins no escape (likewise), and a body without an end,
// because its last byte was a backslash, is taken to the end of the message and
// only its quotes are unescaped, which gives what was meant (v7 reads nothing).
package jsonproto
