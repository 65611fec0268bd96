//go:build unix && !linux

package socket

import (
	"net"
	"testing"
)

// keepAliveIdle returns -1: the option has another name on each system.
func keepAliveIdle(*testing.T, net.Conn) int { return -1 }
