// Package pbproto is a wire format around a protobuf message, that of erpc v7,
// byte for byte:
//
//	4  length, big endian, of all that follows
//	1  number n of transfer filters
//	n  filter IDs, outermost first; what follows went through the filters
//	.. the message below
//
//	syntax = "proto3";
//	message payload {
//	  int32  seq           = 1;
//	  int32  mtype         = 2;
//	  string serviceMethod = 3;
//	  bytes  status        = 4; // query text
//	  bytes  meta          = 5; // query text
//	  int32  bodyCodec     = 6;
//	  bytes  body          = 7;
//	}
//
// Fields that are zero are left out. A reader accepts them in any order, takes the
// last of repeated ones, and skips unknown ones. An empty message is a message
// without a type, but an empty frame is malformed.
//
// The message is encoded by hand: it has no descriptor that could collide with
// another one in the process. For that reason a process that imports v7's own
// pbproto together with its WebSocket sub-protocol panics at init.
package pbproto
