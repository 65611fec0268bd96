package socket

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A dial from an address lets connect choose the port; a dial from an address and
// port uses that port.
func TestDialFromAnAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, from := range []string{"127.0.0.1:0", "127.0.0.2:0"} {
		conn, err := Stream{}.Dial(t.Context(), "tcp", l.Addr().String(), &Options{LocalAddr: from})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var set int
		if cerr := raw.Control(func(fd uintptr) {
			set, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT)
		}); cerr != nil || err != nil || set != 1 {
			t.Errorf("from %s the option is %d, %v, %v", from, set, cerr, err)
		}
		if host, port, _ := net.SplitHostPort(conn.LocalAddr().String()); port == "0" || host+":0" != from {
			t.Errorf("dialed from %v, want %s", conn.LocalAddr(), from)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
