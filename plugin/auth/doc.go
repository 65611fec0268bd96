// Package auth has plugins that let a connection become a session only after
// the side that dialed has authenticated: a checker on the accepting side, and
// a bearer on the dialing side. Until the checker accepts it, the session is
// not in the peer's table and none of its other messages are read. The exchange
// has a deadline. Its messages have at most [MaxMessage] bytes and no filters.
//
// # Login
//
// [NewLogin] is the checker for new programs. It accepts a token in whichever
// way the client can send it, so one plugin serves all protocols and all
// listeners of a peer:
//
//   - in an AUTH exchange, which [Token] with [NewBearerPlugin] is the other side
//     of, and in which the HTTP gateway passes on the header Authorization;
//   - in a CALL of [LoginConfig].Method as the first message, with the token as a
//     text;
//   - in the request that a WebSocket connection begins with: in the header
//     Authorization, or, from a page in a browser, in a sub-protocol
//     (socket/websocket.TokenPrefix).
//
// The check returns an [Identity], which is put into the store of the session:
// handlers get it with [IdentityOf], package acl uses it, and [SessionsOf]
// returns all sessions of one identity. A session ends when its identity expires
// ([Identity].Expires); the client may log in again.
//
// A token is sent in clear text: use it with TLS.
//
// # Checkers of erpc v7
//
// [NewBearerPlugin] and [NewCheckerPlugin] are those of erpc v7 and compatible
// with it: the bearer's value is sent in an AUTH_CALL, and the value that the
// checker returns in an AUTH_REPLY. [Token] and [CheckToken] are a bearer and a
// checker for the usual case.
//
// # Challenge and response
//
// [NewHMACBearer] and [NewHMACChecker] prove to each other that they know the
// same key, without sending it:
//
//	AUTH_CALL   erpc-hmac-sha256-v1 <id> <32 random bytes of the client>
//	AUTH_REPLY  <32 random bytes of the server>
//	AUTH_CALL   HMAC-SHA256(key, "client", id, both random values)
//	AUTH_REPLY  HMAC-SHA256(key, "server", id, both random values)
//
// as text with the plain codec, binary values in unpadded base64url. A recorded
// exchange is useless on another connection, and the client detects a server
// without the key. The exchange does not protect later messages, and does not
// stop a man in the middle who relays it: use TLS or package secure for that.
//
// # Refusals
//
// A refused client gets the code and the message of the checker's status, but
// not its cause, which may reveal too much; [CheckerConfig].Detail sends the
// cause too, as v7 does. The Counts methods return numbers for the operator.
// The log has a line for each session that passed and, for those that did not,
// at most one line per second with their number.
package auth
