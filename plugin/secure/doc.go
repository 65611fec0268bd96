// Package secure is a plugin that encrypts bodies and authenticates messages,
// with one key for the two peers, whatever lies between them: proxies, brokers
// and their operators see method and metadata, but can neither read a body nor
// change any of the three unnoticed.
//
// A call or push is sealed if [WithSecureMeta] asks for it, or if its method is
// required to be. The reply to a sealed call is sealed, unless the caller asked
// for a clear one with [WithAcceptSecureMeta](false) and the method is not
// required to be; a clear call gets a sealed reply with
// [WithAcceptSecureMeta](true) or if the handler says [EnforceSecure]. A caller
// that has a right to a sealed reply takes no other.
//
// # What is protected
//
// The body is encrypted with XChaCha20-Poly1305, or AES-GCM, under a key derived
// for that from the one given, with a random nonce. Bound to it, so that a change
// of them is found out, are the kind of message, the exact name of the method, the
// codec of the body, the metadata with its exact names, which side of the session
// has sent it, when it was sealed, and in a reply which call it answers. So a
// message that comes back to its sender is refused, and a sealed reply answers one
// call only, also if the call itself was clear.
//
// [Config].IgnoreCase gives up the case of names, for HTTP, which changes it, and
// for package ignorecase. [Config].Relayed gives up the side, for hubs, which pass
// on what one client sends to another. With [Config].MaxAge a sealed call or push
// is good for a limited time and is taken once; without it, what is recorded can
// be sent again, over any session. Neither is it known over which session a
// message came first: there may be proxies between the two sides. All three must
// be the same on both sides.
//
// Metadata that may be added on the way is not bound: that of erpc itself
// (X-Erpc-*), X-Real-IP, and what [Config].Unbound names. Nor is the status of a
// failed call, which is neither secret nor authentic, nor sequence numbers. Where
// that matters use TLS, beside or instead.
//
// Each process remembers by itself what it has taken: of several servers behind
// one address, each takes a recorded message once within MaxAge.
//
// Since plugins behind this one could still change the metadata, it should be
// the last of a peer.
//
// # Wire
//
// The metadata X-Secure is true, and the body is
//
//	1  version: 2
//	1  cipher: 1 XChaCha20-Poly1305, 2 AES-256-GCM
//	1  length of the key's ID
//	n  ID
//	8  when it was sealed, in milliseconds since 1970, big-endian
//	.. nonce, 24 or 12 bytes
//	.. ciphertext and tag
//
// What the tag covers beside that is the bytes in front of the ciphertext, the
// text "erpc secure 2", and then one byte each for the kind of message, the codec
// and the side that sent it (0 unknown, 1 dialed, 2 accepted); then, each with its
// length as a varint in front, the method, the nonce of the call that a reply
// answers, and the names and values of the metadata, sorted by name. A clear call
// that wants a sealed reply has a nonce for that in the metadata X-Secure-Call.
//
// Instead, with [Config].Text, the body is "e1." and all of the above in unpadded
// base64url. Receivers take both.
//
// erpc v7 knows nothing of this. For its scheme, which hides little and protects
// nothing, there is [NewWeakV7Plugin].
package secure
