//go:build linux

package attack

import (
	"net"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// relays returns attacks through proxies, and on clients.
func relays() []attack {
	return []attack{
		{class: "proxies", name: "a push around a loop", door: "proxies", most: cost{8 << 20, 2 * time.Second, 16 << 10}, run: func(s *stranger) {
			conn := s.dial()
			if _, err := conn.Write(s.raw(erpc.TypePush, "/nobody", 'p', nil)); err != nil {
				s.Fatal(err)
			}
			kit.Eventually(s, patience, "the first time around", func() bool { n, _, _ := s.child.numbers(s.T); return n > 0 })
			time.Sleep(sized(500*time.Millisecond, 5*time.Second)) // meanwhile it must stop
			if n, _, _ := s.child.numbers(s.T); n > 40 {
				s.breaks("one push was forwarded %d times", n)
			}
		}},
		{class: "clients", name: "wss without TLS configuration", door: "raw", most: fromLittle, run: clearText},
	}
}

// clearText lets a client dial wss and looks at its first byte.
func clearText(s *stranger) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	defer lis.Close()
	first := make(chan byte, 1)
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			return // the dial failed before it
		}
		defer conn.Close()
		one := make([]byte, 1)
		if _, err := conn.Read(one); err == nil {
			first <- one[0]
		}
	}()
	client := kit.Peer(s, erpc.PeerConfig{Network: "wss", DialTimeout: 5 * time.Second})
	if _, st := client.Dial(lis.Addr().String()); st.OK() {
		s.breaks("a session over wss without TLS")
	}
	const handshake = 0x16
	select {
	case b := <-first:
		if b != handshake {
			s.breaks("the first byte over wss is %#x, in clear text", b)
		}
	default: // nothing was sent
	}
}
