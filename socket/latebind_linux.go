package socket

import (
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lateBind lets the kernel choose the port of a socket that is bound to an address
// when it connects, so that the number of ports limits the connections to each
// destination, not those to all destinations together.
func lateBind(d *net.Dialer) {
	if tcp, ok := d.LocalAddr.(*net.TCPAddr); !ok || tcp.Port != 0 {
		return
	}
	d.Control = func(network, _ string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		return c.Control(func(fd uintptr) {
			// Without it the dial still works.
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		})
	}
}
