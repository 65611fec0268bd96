// Package secure is a plugin that encrypts bodies and authenticates messages,
// end to end with a key that the two peers share. Proxies, brokers and their
// operators in between see method and metadata, but can neither read a body nor
// change any of the three without being detected.
//
// A call or push is sealed if [WithSecureMeta] asks for it, or if its method is
// required to be. The reply to a sealed call is sealed, unless the caller asked
// for a clear one with [WithAcceptSecureMeta](false) and the method is not
// required to be sealed. A clear call gets a sealed reply if the caller asks
// for it with [WithAcceptSecureMeta](true), or if the handler calls
// [EnforceSecure]. A caller that is entitled to a sealed reply refuses a clear
// one.
//
// # What is protected
//
// The body is encrypted with XChaCha20-Poly1305, or AES-GCM, under a key
// derived from the configured one, with a random nonce. The following are
// authenticated with it, so that changes are detected: the kind of message, the
// exact name of the method, the codec of the body, the metadata with its exact
// names, which side of the session sent the message, when it was sealed, and
// for a reply the call that it answers. So a message that is reflected to its
// sender is refused, and a sealed reply answers only one call, even if that
// call was clear.
//
// [Config].IgnoreCase stops protecting the case of names, for HTTP, which
// changes it, and for package ignorecase. [Config].Relayed stops protecting the
// side, for hubs, which pass messages on from one client to another. With
// [Config].MaxAge, a sealed call or push is valid for a limited time and
// accepted once; without it, a recorded message can be replayed over any
// session. A message is not bound to a session, because there may be proxies
// between the two sides. All three settings must be the same on both sides.
//
// Metadata that may be added on the way is not protected: erpc's own
// (X-Erpc-*), X-Real-IP, and the names in [Config].Unbound. Nor are sequence
// numbers and the status of a failed call, which is neither secret nor
// authentic. If that matters, use TLS in addition or instead.
//
// Each process only remembers the messages that it accepted itself: several
// servers behind one address each accept a recorded message once within MaxAge.
//
// Plugins after this one could still change the metadata, so it should be the
// last plugin of a peer.
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
// The additional data that the tag covers is: the bytes before the ciphertext;
// the text "erpc secure 2"; one byte each for the kind of message, the codec
// and the side that sent it (0 unknown, 1 dialed, 2 accepted); and then, each
// prefixed with its length as a varint, the method, the nonce of the call that
// a reply answers, and the names and values of the metadata, sorted by name. A
// clear call that asks for a sealed reply has a nonce for it in the metadata
// X-Secure-Call.
//
// With [Config].Text, the body is "e1." followed by all of the above in
// unpadded base64url instead. Receivers accept both.
//
// erpc v7 does not understand this format. [NewWeakV7Plugin] speaks v7's
// scheme, which hides little and authenticates nothing.
package secure
