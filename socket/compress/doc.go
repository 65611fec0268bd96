// Package compress is a transport that compresses each connection as one stream,
// so that what messages have in common, with those before them too, is sent once.
// That pays for many small messages, where a filter (xfer/gzip and others), which
// sees one message at a time, has nothing to find.
//
// It goes over another transport, TLS included, and is for erpc peers that both
// have it: the dialing side offers algorithms, the accepting one answers with its
// choice. An accepting side with this transport also serves those who offer
// nothing, such as erpc v7; a dialing side with it can't talk to one without. The
// exchange is 8 bytes each way:
//
//	ff 45 52 50 43 5a 01 xx
//
// where xx is the set of what is offered (1 s2, 2 zstd, 4 flate), or the choice,
// 0 for none. No frame of the raw protocol begins like that. The accepting side
// reads the offer with its first message; if it speaks before that, from a
// connect hook, both go on uncompressed.
//
// A connection holds the state of its compression, from about 150 KiB with s2 to
// about 1 MiB with zstd, while it lasts. Where an attacker can choose a part of
// what is sent beside a secret, the length of what TLS carries tells about the
// secret: don't compress there.
package compress
