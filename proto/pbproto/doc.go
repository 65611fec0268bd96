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
// Fields that are zero are left out. A reader takes them in any order, the
// last of those that are repeated, and skips unknown ones. An empty message is
// a message of no type, but an empty frame is malformed.
//
// The message is encoded by hand: there is no descriptor of it that could
// collide with another one of the process. Importing v7's own pbproto and its
// WebSocket sub-protocol together ends a process at init for that reason.
package pbproto
