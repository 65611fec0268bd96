package socket

import (
	"net"
	"syscall"
	"testing"
)

func keepAliveIdle(t *testing.T, c net.Conn) int {
	return getsockopt(t, c, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
}
