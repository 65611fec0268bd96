package dashboard_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
