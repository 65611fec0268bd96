//go:build !linux

package socket

import "net"

// lateBind is for Linux only.
func lateBind(*net.Dialer) {}
