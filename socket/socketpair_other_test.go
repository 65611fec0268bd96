//go:build !unix

package socket

import (
	"net"
	"testing"
)

func socketPair(t testing.TB) (a, b net.Conn) { return pair(t, "tcp") }
