package session

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
)

func TestMain(m *testing.M) { wait.Main(m) }
