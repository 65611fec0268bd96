package rawproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/proto/prototest"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
)

func TestMain(m *testing.M) {
	gzip.Reg('g', "gizp-5", 5) // the name is v7's
	md5.Reg('m', "md5")
	wait.Main(m)
}

func TestConformance(t *testing.T) {
	prototest.Run(t, rawproto.New, prototest.Options{Filters: []byte("gm")})
}
