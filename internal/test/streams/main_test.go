package streams

import (
	"testing"

	"github.com/goerpc/erpc/socket/sockettest"
)

func TestMain(m *testing.M) { sockettest.VerifyMain(m) } // no goroutine is left behind
