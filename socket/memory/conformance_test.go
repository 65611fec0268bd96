package memory_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/sockettest"
)

func TestConformance(t *testing.T) {
	var names atomic.Int64
	name := func(*testing.T) string { return fmt.Sprint("conformance ", names.Add(1)) }
	sockettest.Run(t, func() socket.Transport { return memory.New() }, sockettest.Options{
		Network: "memory", Addr: name, Nobody: name,
	})
}
