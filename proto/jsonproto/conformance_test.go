package jsonproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/prototest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	wiretest.Filters()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // kcp-go, which the façade links, starts goroutines at once
}

func TestConformance(t *testing.T) {
	prototest.Run(t, jsonproto.New, prototest.Options{Filters: []byte("gm")})
}
