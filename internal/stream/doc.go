// Package stream has the parts of a stream that need no session: its state, the
// window of the sending side, the inbox of the receiving side, and the memory
// that the inboxes of a peer share.
//
// Flow control counts the bytes of the sender's encoded bodies. The receiver
// returns them in units of messages: a credit says how many messages of the stream
// its program has taken so far, and the sender remembers the size of each message
// that has not been taken yet. So both ends agree on the window whatever filters
// and codecs do to a message in between. A lost or repeated credit does no harm,
// because credits are cumulative. A message that is larger than the whole window
// may be sent as soon as any of the window is left.
package stream
