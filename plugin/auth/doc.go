// Package auth has plugins that let a connection become a session only when the
// side that dialed has shown who it is: a checker on the side that accepts, and a
// bearer on the other. Until the checker agrees, the session is in no table of its
// peer, none of its messages is read, and the whole exchange has a deadline.
// Messages of the exchange are at most [MaxMessage] bytes and have no filters.
//
// # Login
//
// [NewLogin] is the checker for new programs. It takes a token however the client
// can show it, so one plugin serves all protocols and all listeners of a peer:
//
//   - in an AUTH exchange, which [Token] with [NewBearerPlugin] is the other side
//     of, and in which the HTTP gateway passes on the header Authorization;
//   - in a CALL of [LoginConfig].Method as the first message, with the token as a
//     text;
//   - in the request that a WebSocket connection begins with: in the header
//     Authorization, or, from a page in a browser, in a sub-protocol
//     (socket/websocket.TokenPrefix).
//
// The check returns an [Identity], which lands in the store of the session:
// handlers find it with [IdentityOf], package acl decides by it, and [SessionsOf]
// returns all sessions of one identity.
//
// A token goes over the wire as it is: use it with TLS.
//
// # Checkers of erpc v7
//
// [NewBearerPlugin] and [NewCheckerPlugin] are those of erpc v7, on its wire: an
// AUTH_CALL with whatever the bearer sends, and an AUTH_REPLY with whatever the
// checker returns. [Token] and [CheckToken] are a bearer and a checker for the
// usual case.
//
// # Challenge and response
//
// [NewHMACBearer] and [NewHMACChecker] prove to each other that they know the
// same key, and never send it:
//
//	AUTH_CALL   erpc-hmac-sha256-v1 <id> <32 random bytes of the client>
//	AUTH_REPLY  <32 random bytes of the server>
//	AUTH_CALL   HMAC-SHA256(key, "client", id, both random values)
//	AUTH_REPLY  HMAC-SHA256(key, "server", id, both random values)
//
// as text with the plain codec, binary values in unpadded base64url. What an
// eavesdropper records is of no use on another connection, and a server without
// the key is found out. The exchange does not protect what is sent afterwards, nor
// against somebody in the middle who passes it on: that takes TLS, or package
// secure.
//
// # Refusals
//
// A refused client gets the code and the message of the checker's status, but not
// its cause, which may say too much; [CheckerConfig].Detail sends that too, as v7
// does. Counts has numbers for the operator, and the log has a line for each
// session that passed and, of those that did not, one a second with a number.
package auth
