package kcp

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// maxUnanswered is how long packets that require an acknowledgement may be sent
// without receiving anything. Then the other side is gone: nothing more is sent to
// it, and its connection ends.
const maxUnanswered = 15 * time.Second

// begun is the time from which others are counted, on the monotonic clock.
var begun = time.Now()

// A flow is the packets between the UDP socket and one address. To kcp-go it is
// the address of the other side. Its methods may be called concurrently.
type flow struct {
	addr netip.AddrPort
	text string
	udp  *net.UDPAddr

	said    chan struct{} // has a value after a packet was sent
	waiting atomic.Int64  // when the first packet without an answer was sent, counted from begun; 0: every packet was answered
	lost    atomic.Bool   // the other side is gone
	onLost  atomic.Pointer[func()]

	// For the gate, guarded by its mutex.
	stage  stage
	conv   uint32 // the conversation that has proved the address
	proof  cookie // the cookie that proved it
	proved time.Time
}

var _ net.Addr = (*flow)(nil)

func newFlow(addr netip.AddrPort) *flow {
	return &flow{addr: addr, text: addr.String(), udp: net.UDPAddrFromAddrPort(addr), said: make(chan struct{}, 1)}
}

// Network implements [net.Addr].
func (f *flow) Network() string { return "udp" }

// String implements [net.Addr].
func (f *flow) String() string { return f.text }

// heard notes that a packet of the other side has arrived.
func (f *flow) heard() { f.waiting.Store(0) }

// mayWrite reports whether a packet may be sent. If it requires an answer, and none
// has arrived for too long, the other side is lost.
func (f *flow) mayWrite(wantsAnswer bool) bool {
	if f.lost.Load() {
		return false
	}
	if !wantsAnswer {
		return true
	}
	now := int64(time.Since(begun)) + 1 // never 0
	since := f.waiting.Load()
	if since == 0 {
		f.waiting.CompareAndSwap(0, now) // unless another packet has set it
		return true
	}
	if time.Duration(now-since) <= maxUnanswered {
		return true
	}
	if f.lost.CompareAndSwap(false, true) {
		if end := f.onLost.Load(); end != nil {
			go (*end)()
		}
	}
	return false
}

// write sends a packet over the socket. clear says that it is not encrypted. A
// packet that is dropped because the other side is lost is not an error.
func (f *flow) write(udp *net.UDPConn, packet []byte, clear bool) (int, error) {
	if !f.mayWrite(clear && wantsAnswer(packet)) {
		return len(packet), nil
	}
	n, err := udp.WriteToUDPAddrPort(packet, f.addr)
	select {
	case f.said <- struct{}{}:
	default:
	}
	return n, err
}

// A path is the packet connection of a dialing side. It has one flow.
type path struct {
	*udpSocket
	flow  *flow
	clear bool // packets are not encrypted
}

var _ net.PacketConn = (*path)(nil)

// ReadFrom implements [net.PacketConn]. Packets of other addresses are dropped.
func (p *path) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, err
		}
		if from == p.flow.addr {
			p.flow.heard()
			return n, p.flow, nil
		}
	}
}

// WriteTo implements [net.PacketConn].
func (p *path) WriteTo(b []byte, _ net.Addr) (int, error) {
	return p.flow.write(p.udp, b, p.clear)
}

// A udpSocket gives paths and gates the methods of their UDP socket. The socket
// itself is not embedded, because kcp-go bypasses a type that has all methods of a
// [net.UDPConn].
type udpSocket struct{ udp *net.UDPConn }

func (s *udpSocket) Close() error                       { return s.udp.Close() }
func (s *udpSocket) LocalAddr() net.Addr                { return s.udp.LocalAddr() }
func (s *udpSocket) SetDeadline(t time.Time) error      { return s.udp.SetDeadline(t) }
func (s *udpSocket) SetReadDeadline(t time.Time) error  { return s.udp.SetReadDeadline(t) }
func (s *udpSocket) SetWriteDeadline(t time.Time) error { return s.udp.SetWriteDeadline(t) }
