//go:build linux

package attack

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/kcp"
)

// strangers returns attacks by clients that are not authenticated.
func strangers() []attack {
	return []attack{
		{class: "before authentication", name: "HMAC, filtered text", door: "HMAC", most: fromLittle, run: func(s *stranger) {
			text := []byte("erpc-hmac-sha256-v1 " + strings.Repeat(" ", sized(16<<20, 60<<20)))
			for _, id := range filters() {
				if f := s.raw(erpc.TypeAuthCall, "", 's', text, erpc.WithXferPipe(id)); len(f) <= little {
					s.exchange(f)
				}
			}
		}},
		{class: "before authentication", name: "HMAC, 64 KiB of spaces", door: "HMAC", most: fromLittle, run: func(s *stranger) {
			s.exchange(s.raw(erpc.TypeAuthCall, "", 's', []byte("erpc-hmac-sha256-v1"+strings.Repeat(" ", little-100))))
		}},
		{class: "before authentication", name: "token, XML of a codec that nobody chose", door: "token", most: fromLittle, run: func(s *stranger) {
			for _, id := range filters() {
				s.exchange(s.raw(erpc.TypeAuthCall, "", 'x', fill(16<<20, "", "<b>", ""), erpc.WithXferPipe(id)))
			}
			s.exchange(s.raw(erpc.TypeAuthCall, "", 'x', fill(little-100, "", "<b>", "")))
		}},
		{class: "before authentication", name: "calls instead of a login", door: "token", most: fromLittle, run: func(s *stranger) {
			s.exchange(s.raw(erpc.TypeCall, "/change", 'p', nil))
			if n, _, _ := s.child.numbers(s.T); n > 0 {
				s.breaks("%d calls were executed", n)
			}
		}},
		{class: "before authentication", name: "megabytes for a login", door: "token", most: cost{8 << 20, time.Second, 4 << 10}, run: func(s *stranger) {
			s.exchange(s.raw(erpc.TypeAuthCall, "", 's', make([]byte, sized(24<<20, 60<<20))))
		}},
		{class: "KCP", name: "packets with forged senders", door: "kcp",
			most: cost{memory: 16 << 20, cpu: sized(2*time.Second, 10*time.Second), log: 4 << 10}, run: forgedPackets},
		{class: "routes", name: "a login on a route", door: "route", most: fromLittle, run: func(s *stranger) {
			if s.child.addr == refused {
				return // the program fails before the mistake can be exploited
			}
			s.exchange(s.raw(erpc.TypeCall, "/admin/drop", 'p', nil))
			if n, _, _ := s.child.numbers(s.T); n > 0 {
				s.breaks("%d calls of a stranger were executed", n)
			}
		}},
	}
}

// forgedPackets sends the opening of a conversation from many addresses that then
// stay silent, as forged addresses do. No session may result, and not more bytes
// may be sent to them than they have sent.
func forgedPackets(s *stranger) {
	to, err := net.ResolveUDPAddr("udp4", s.child.addr)
	if err != nil {
		s.Fatal(err)
	}
	var back int64
	var socks []*net.UDPConn
	for range sized(50, 500) {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			s.Fatal(err)
		}
		defer udp.Close()
		socks = append(socks, udp)
		for range 20 {
			n, err := udp.WriteTo(kcpOpening(), to)
			if err != nil {
				s.Fatal(err)
			}
			s.sent.Add(int64(n))
		}
	}
	watched := time.Now().Add(sized(time.Second, 20*time.Second)) // how long the addresses are watched
	for _, udp := range socks {
		_ = udp.SetReadDeadline(watched) // the read reports it
		for b := make([]byte, 2000); ; {
			n, _, err := udp.ReadFrom(b)
			if err != nil {
				break
			}
			back += int64(n)
		}
	}
	if sent := s.sent.Load(); back > sent {
		s.breaks("%d bytes went to forged addresses, for %d that came", back, sent)
	}
	if _, _, sessions := s.child.numbers(s.T); sessions > 0 {
		s.breaks("%d sessions of forged addresses", sessions)
	}
	var honest erpc.Session
	client := kit.Peer(s, erpc.PeerConfig{Network: kcp.Network})
	honest = kit.Open(s, client, s.child.addr)
	kit.Answers(s, honest)
	kit.Eventually(s, patience, "a session", func() bool { _, _, n := s.child.numbers(s.T); return n == 1 })
	_ = honest.Close() // it may have ended
}

// kcpOpening returns the first packet of a conversation: 62 bytes, of which 30 are
// data.
func kcpOpening() []byte {
	b := []byte{0, 0, 0, 0, 0xf1, 0, 56, 0} // parity is on: number, kind, length
	b = binary.LittleEndian.AppendUint32(b, rand.Uint32())
	b = append(b, 81, 0, 32, 0)        // data, window 32
	b = append(b, make([]byte, 12)...) // timestamp, sequence number, next expected
	b = binary.LittleEndian.AppendUint32(b, 30)
	return append(b, "\x00\x00\x00\x1e"+strings.Repeat("x", 26)...)
}
