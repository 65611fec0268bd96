// Package stream has the parts of a stream that need no session: its state, the
// window of the sending side, the inbox of the receiving side, and the memory
// that the inboxes of a peer share.
//
// Flow control counts bytes as the sender measures its encoded bodies, and the
// receiver gives them back in messages: a credit says how many messages of the
// stream its program has taken so far. The sender remembers the size of each
// message that is not taken yet. So both ends agree on the window whatever
// filters and codecs do to a message in between, a lost or repeated credit does
// no harm because it is cumulative, and a message that is larger than the whole
// window may be sent as soon as anything of the window is left.
package stream
