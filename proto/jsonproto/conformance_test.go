package jsonproto_test

import (
	"testing"

	"github.com/erpc-go/erpc/proto/jsonproto"
	"github.com/erpc-go/erpc/proto/prototest"
	"github.com/erpc-go/erpc/xfer/gzip"
	"github.com/erpc-go/erpc/xfer/md5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	gzip.Reg('g', "gizp-5", 5) // the name is v7's
	md5.Reg('m', "md5")
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	prototest.Run(t, jsonproto.New, prototest.Options{Filters: []byte("gm")})
}
