package jsonproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/prototest"
)

var sub = wiretest.SubProto{New: jsonproto.NewSub, Family: "ws-json"}

func TestSubProtocolConformance(t *testing.T) {
	prototest.Run(t, jsonproto.NewSub, prototest.Options{Filters: []byte("gm")})
}

func TestSubProtocolReadsAndWritesAsV7(t *testing.T) { sub.ReadsAndWritesAsV7(t) }
func TestSubProtocolCarriesTheStatus(t *testing.T)   { sub.CarriesTheStatus(t) }
func FuzzSubProtocol(f *testing.F)                   { sub.Fuzz(f) }
