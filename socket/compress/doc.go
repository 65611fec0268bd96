// Package compress is a transport that compresses each connection as one stream,
// so that what a message has in common with earlier ones is sent once. That pays
// for many small messages, where a filter (xfer/gzip and others) finds little,
// because it sees one message at a time.
//
// It works over another transport, TLS included, and both peers need it: the
// dialing side offers algorithms, and the accepting side answers with its choice.
// An accepting side with this transport also serves clients that offer nothing,
// such as erpc v7; a dialing side with it can't talk to a server without it. The
// exchange is 8 bytes each way:
//
//	ff 45 52 50 43 5a 01 xx
//
// where xx is the set of algorithms offered (1 s2, 2 zstd, 4 flate), or the one
// chosen, 0 for none. No frame of the raw protocol begins like that. The accepting
// side reads the offer with its first message; if it speaks before that, from a
// connect hook, both go on uncompressed.
//
// A connection holds the state of its compression, from about 150 KiB with s2 to
// about 1 MiB with zstd, while it lasts. Don't compress where an attacker can
// choose a part of what is sent together with a secret: the length of the
// encrypted data reveals something about the secret.
package compress
