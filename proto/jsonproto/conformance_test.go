package jsonproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/prototest"
)

func TestMain(m *testing.M) {
	wiretest.Filters()
	wait.Main(m)
}

func TestConformance(t *testing.T) {
	prototest.Run(t, jsonproto.New, prototest.Options{Filters: []byte("gm")})
}
