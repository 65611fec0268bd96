package pbproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/prototest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	wiretest.Filters()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // kcp-go, which the façade links, starts goroutines at once
}

func TestConformance(t *testing.T) {
	prototest.Run(t, pbproto.New, prototest.Options{Filters: []byte("gm")})
}
