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
// of them is found out, are the kind of message, the method, the codec of the
// body, the metadata, and in a reply which sealed call it answers. Method and
// metadata count without the case of their names, which HTTP and package
// ignorecase change. Metadata that may be added on the way is left out: that of
// erpc itself, X-Real-IP, and what [Config].Unbound names.
//
// Not protected are the status of a failed call, which is neither secret nor
// authentic, sequence numbers, and against a sealed call or push that is recorded
// and sent again. Where that matters use TLS, beside or instead.
//
// Since plugins behind this one could still change the metadata, it should be
// the last of a peer.
//
// # Wire
//
// The metadata X-Secure is true, and the body is
//
//	1  version: 1
//	1  cipher: 1 XChaCha20-Poly1305, 2 AES-256-GCM
//	1  length of the key's ID
//	n  ID
//	.. nonce, 24 or 12 bytes
//	.. ciphertext and tag
//
// or, with [Config].Text, "e1." and all of that in unpadded base64url. Receivers
// take both.
//
// erpc v7 knows nothing of this. For its scheme, which hides little and protects
// nothing, there is [NewWeakV7Plugin].
package secure
