// Package auth is a pair of plugins that let a connection become a session only
// when the one who dialed has shown who he is: a bearer at his side, a checker
// at the other. Until the checker agrees the session is in no table of its peer,
// none of its messages is read, and the whole exchange has a deadline.
//
// # Tokens
//
// [NewBearerPlugin] and [NewCheckerPlugin] are those of erpc v7, on its wire: an
// AUTH_CALL with whatever the bearer sends, an AUTH_REPLY with whatever the
// checker returns. [Token] and [CheckToken] are a bearer and a checker for the
// usual case. A token goes over the wire as it is: use it with TLS.
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
// as text with the plain codec, binary values in unpadded base64url. What was
// overheard is of no use for another connection, and a server without the key is
// found out. It does not protect what is sent afterwards, nor against somebody in
// the middle who passes the exchange on: that takes TLS, or package secure.
//
// # Refusals
//
// A refused client gets the code and message of the checker's status, not its
// cause, which may say too much; [CheckerConfig].Detail sends that too, as v7
// does. The operator finds all of it in the log, one line for each exchange, and
// numbers in Counts.
package auth
