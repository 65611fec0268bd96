package kcp

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// maxUnanswered is how long packets that want an acknowledgement may go without a
// word from the other side. Then it is gone: nothing more is sent to it, and its
// connection ends.
const maxUnanswered = 15 * time.Second

// begun is what times are counted from, on the monotonic clock.
var begun = time.Now()

// A flow is the packets between the UDP socket and one address. kcp-go knows it as
// the address of the other side. Its methods may be called concurrently.
type flow struct {
	addr netip.AddrPort
	text string
	udp  *net.UDPAddr

	said    chan struct{} // has a value after a packet was sent
	waiting atomic.Int64  // when the first packet without an answer was sent, counted from begun; 0: every packet was answered
	lost    atomic.Bool   // the other side is gone
	onLost  atomic.Pointer[func()]

	// The gate's, guarded by its mutex.
	stage  stage
	conv   uint32 // the conversation that has proved the address
	proof  cookie // with which it did
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

// heard notes a packet of the other side.
func (f *flow) heard() { f.waiting.Store(0) }

// mayWrite reports whether a packet may be sent. If it wants an answer, and none has
// come for too long, the other side is lost.
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
		f.waiting.CompareAndSwap(0, now) // or a packet just sent by another has
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

// write sends a packet over the socket. clear says that its segments can be read.
// A packet that is dropped because the other side is lost is not an error.
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

// A path is the packet connection of a side that dials: it has one flow.
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

// A udpSocket is what paths and gates have from their UDP socket. It is not embedded
// itself: kcp-go reads and writes past whatever has the methods of a [net.UDPConn].
type udpSocket struct{ udp *net.UDPConn }

func (s *udpSocket) Close() error                       { return s.udp.Close() }
func (s *udpSocket) LocalAddr() net.Addr                { return s.udp.LocalAddr() }
func (s *udpSocket) SetDeadline(t time.Time) error      { return s.udp.SetDeadline(t) }
func (s *udpSocket) SetReadDeadline(t time.Time) error  { return s.udp.SetReadDeadline(t) }
func (s *udpSocket) SetWriteDeadline(t time.Time) error { return s.udp.SetWriteDeadline(t) }
