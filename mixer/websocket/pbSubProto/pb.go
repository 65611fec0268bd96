// Package pbSubProto has the protobuf sub-protocol of WebSocket under erpc v7's
// path. It is for programs that come from v7; new ones use
// [pbproto.NewSubProtoFunc].
package pbSubProto

import (
	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/pbproto"
)

// NewPbSubProtoFunc returns [pbproto.NewSubProtoFunc].
func NewPbSubProtoFunc() erpc.ProtoFunc { return pbproto.NewSubProtoFunc() }
