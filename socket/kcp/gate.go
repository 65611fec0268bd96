package kcp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"
)

// kcp-go makes a session, of some 300 kB, out of any packet, and never stops sending to
// its sender. A gate protects it: an address is let in once it has proved that it
// receives what is sent to it. Until then the gate keeps nothing about it, and sends it
// no more bytes than it has received from it.
//
// The proof works with peers of erpc v7 too. The gate answers a packet that may
// begin a session with a data segment whose sequence number is long past. KCP
// discards its (empty) data but acknowledges it by sequence number and timestamp,
// and these two are the cookie, made of the address, the conversation and a secret.
// What the stranger had sent is lost, and its KCP sends it again.
const (
	// MaxHalfOpen is how many addresses may have proved themselves but sent no
	// data yet, and MaxHalfOpenPerHost how many of them may be of one IPv4 address
	// or /64 of IPv6. Packets of others are dropped; KCP sends them again.
	MaxHalfOpen        = 128
	MaxHalfOpenPerHost = 32
	// greetTime is how long such an address has to send data.
	greetTime = 5 * time.Second
	// halfOpenWindow is how many packets are kept for such an address.
	halfOpenWindow = 16

	// epochTime is how long the same cookie is handed out. It is accepted for
	// twice that time.
	epochTime = 10 * time.Second
	// longAgo is the lowest sequence number of a cookie. For any number that a new
	// session uses, it lies in the past.
	longAgo = 0xc0000000
)

// A cookie is a timestamp and a sequence number.
type cookie struct{ ts, sn uint32 }

// A gate is the packet connection of a listener.
type gate struct {
	*udpSocket
	trusts bool // packets are encrypted, so their senders have the key and are let in
	window uint32
	secret [32]byte

	mu    sync.Mutex // guards the following, and stage, conv, proof and proved of flows
	flows map[netip.AddrPort]*flow
	half  int                  // how many of the flows are half-open or have only proved themselves
	hosts map[netip.Prefix]int // the same for each host
}

var _ net.PacketConn = (*gate)(nil)

func newGate(udp *net.UDPConn, cfg Config) (*gate, error) {
	g := &gate{
		udpSocket: &udpSocket{udp}, trusts: cfg.Block != nil, window: uint32(cfg.ReceiveWindow),
		flows: map[netip.AddrPort]*flow{}, hosts: map[netip.Prefix]int{},
	}
	_, err := rand.Read(g.secret[:])
	return g, err
}

// ReadFrom implements [net.PacketConn]: it returns packets of the addresses that
// were let in.
func (g *gate) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, err
		}
		if g.trusts {
			return n, newFlow(from), nil // kcp-go keeps only that of the first packet
		}
		f, answer := g.judge(from, b[:n], time.Now())
		if f != nil {
			f.heard()
			return n, f, nil
		}
		if answer != nil {
			_, _ = g.udp.WriteToUDPAddrPort(answer, from) // if it is lost, the other side asks again
		}
	}
}

// WriteTo implements [net.PacketConn].
func (g *gate) WriteTo(b []byte, to net.Addr) (int, error) {
	return to.(*flow).write(g.udp, b, !g.trusts)
}

// judge returns the flow of a packet that may pass. For one that may not, it may
// return an answer to its sender, no longer than the packet.
func (g *gate) judge(from netip.AddrPort, packet []byte, now time.Time) (_ *flow, answer []byte) {
	b, parity, ok := segments(packet)
	if !ok {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.flows[from]
	if parity {
		if f == nil || f.stage == stageProved {
			return nil, nil
		}
		return f, nil
	}
	first, _, ok := cutSegment(b)
	if !ok {
		return nil, nil
	}
	got := cookie{first.ts, first.sn}
	if f != nil && f.conv == first.conv {
		switch {
		case first.cmd == cmdAck && got == f.proof: // repeated: its timestamp would confuse KCP's clock
			return nil, nil
		case f.stage == stageProved && first.cmd != cmdPush:
			return nil, nil // packets of an earlier session do not begin a new one
		}
		return f, nil
	}
	switch {
	case first.cmd == cmdAck && got.sn >= longAgo:
		if g.isCookie(got, from, first.conv, now) {
			g.admitLocked(from, first.conv, got, now)
		}
	case first.cmd == cmdPush && first.sn < g.window, first.cmd == cmdProbe:
		c := g.bake(from, first.conv, g.epoch(now))
		return nil, segment{conv: first.conv, cmd: cmdPush, window: halfOpenWindow, ts: c.ts, sn: c.sn}.append(nil)
	}
	return nil, nil
}

func (g *gate) epoch(now time.Time) uint64 { return uint64(now.Sub(begun) / epochTime) }

// bake makes the cookie of an address and a conversation.
func (g *gate) bake(addr netip.AddrPort, conv uint32, epoch uint64) cookie {
	mac := hmac.New(sha256.New, g.secret[:])
	host := addr.Addr().As16()
	text := append([]byte(nil), host[:]...)
	text = binary.BigEndian.AppendUint16(text, addr.Port())
	text = binary.BigEndian.AppendUint32(text, conv)
	text = binary.BigEndian.AppendUint64(text, epoch)
	mac.Write(text) // never fails
	sum := mac.Sum(nil)
	return cookie{ts: binary.BigEndian.Uint32(sum), sn: longAgo | binary.BigEndian.Uint32(sum[4:])}
}

func (g *gate) isCookie(c cookie, addr netip.AddrPort, conv uint32, now time.Time) bool {
	epoch := g.epoch(now)
	return c == g.bake(addr, conv, epoch) || epoch > 0 && c == g.bake(addr, conv, epoch-1)
}

// admitLocked allows an address that has proved itself to begin a session, if
// there is room.
func (g *gate) admitLocked(addr netip.AddrPort, conv uint32, proof cookie, now time.Time) {
	host := hostOf(addr.Addr())
	if g.half >= MaxHalfOpen || g.hosts[host] >= MaxHalfOpenPerHost {
		g.expireLocked(now)
	}
	if g.half >= MaxHalfOpen || g.hosts[host] >= MaxHalfOpenPerHost {
		return
	}
	if old := g.flows[addr]; old != nil {
		g.moveLocked(old, stageEnded) // its session goes on until kcp-go sees the new conversation
	}
	f := newFlow(addr)
	f.conv, f.proof, f.proved = conv, proof, now
	g.flows[addr] = f
	g.half++
	g.hosts[host]++
}

// expireLocked forgets addresses that have proved themselves and not begun a
// session.
func (g *gate) expireLocked(now time.Time) {
	for _, f := range g.flows {
		if f.stage == stageProved && now.Sub(f.proved) > greetTime {
			g.moveLocked(f, stageEnded)
		}
	}
}

// move changes the stage of f, if the move is allowed.
func (g *gate) move(f *flow, to stage) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trusts {
		return true // such a gate has no stages
	}
	return g.moveLocked(f, to)
}

func (g *gate) moveLocked(f *flow, to stage) bool {
	if !f.stage.mayBecome(to) {
		return false
	}
	if f.stage.waits() && !to.waits() {
		g.half--
		host := hostOf(f.addr.Addr())
		g.hosts[host]--
		if g.hosts[host] == 0 {
			delete(g.hosts, host)
		}
	}
	f.stage = to
	if to == stageEnded && g.flows[f.addr] == f {
		delete(g.flows, f.addr)
	}
	return true
}

// hostOf returns what is counted as one host.
func hostOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, err := ip.Prefix(bits)
	if err != nil { // can't happen: the kernel returns only IP addresses
		return netip.Prefix{}
	}
	return p
}
