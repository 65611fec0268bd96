package rawproto_test

import (
	"testing"

	"github.com/goerpc/erpc/proto/prototest"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	gzip.Reg('g', "gizp-5", 5) // the name is v7's
	md5.Reg('m', "md5")
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	prototest.Run(t, rawproto.New, prototest.Options{Filters: []byte("gm")})
}
