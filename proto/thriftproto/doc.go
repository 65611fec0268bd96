// Package thriftproto is Apache Thrift on the wire, in three formats:
//
//   - [NewBinaryProtoFunc] is erpc v7's thrift-binary: a body of any codec,
//     transfer filters, status and metadata in a THeader frame.
//   - [NewStructProtoFunc] is erpc v7's thrift-struct: the body is a thrift
//     struct, there are no filters.
//   - [NewStockProtoFunc] is Thrift itself: clients and servers that the thrift
//     compiler generates, and that know nothing of erpc, take part.
//
// Importing the package changes nothing. Erpc v7's package of this name also
// made RPC names and the thrift codec the defaults of the whole process; here a
// program does that itself: NewPeer(PeerConfig{DefaultBodyCodec: "thrift"}) and
// SetServiceMethodMapper(RPCServiceMethodMapper) at the start of the program. The
// formats take the codec for thrift structs from the registry, where erpc.NewPeer
// puts it.
//
// # Frames of v7
//
// Both formats of v7 write, all integers big endian:
//
//	4  length of what follows
//	2  0x0fff
//	2  flags, 0
//	4  sequence number
//	2  length of the header in words of four bytes
//	.. header: protocol 0, transforms 0, 1, number of pairs, then keys and
//	   values, each behind its length as a varint; zeros to a whole word
//	.. message in thrift's binary protocol: 0x8001, 0, type, method, sequence
//	   number, body
//
// The pairs are Tp-Status and Tp-Meta, query text, and in thrift-binary
// Tp-BodyCodec, one byte, and Tp-XferPipe, IDs. They are read in any order and
// written in this one; v7 writes them in random order. A body of thrift-binary is
// preceded by its length. AUTH_CALL and AUTH_REPLY, which v7 can't write, travel
// as CALL and REPLY of thrift-binary with a pair Tp-Mtype.
//
// An error reply of thrift-struct is a status and an empty struct, which v7's
// client understands. v7's own server writes two frames without a struct and with
// the status of success instead: such a call ends with CodeUnknownError.
//
// Erpc v7 itself can't have several calls in flight on one connection of these
// formats: its reader and its writers share a scratch buffer, and occasionally a
// length or a number that it writes is one that it has just read. An error that is
// detected ends the connection.
package thriftproto
