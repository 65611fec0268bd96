package kcp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestSegmentBytes(t *testing.T) {
	s := segment{conv: 0x01020304, cmd: cmdPush, window: 16, ts: 0x0a0b0c0d, sn: 0xc0000001}
	b := s.append(nil)
	if got, want := hex.EncodeToString(b), "04030201"+"51"+"00"+"1000"+"0d0c0b0a"+"010000c0"+"00000000"+"00000000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, rest, ok := cutSegment(append(b, 7)); got != s || len(rest) != 1 || !ok {
		t.Errorf("read %+v, %d bytes left, %v", got, len(rest), ok)
	}
}

// withParity adds the head that packets have when parity is switched on.
func withParity(kind uint16, b []byte) []byte {
	head := binary.LittleEndian.AppendUint16([]byte{9, 0, 0, 0}, kind)
	return append(binary.LittleEndian.AppendUint16(head, uint16(len(b)+2)), b...)
}

func TestWantsAnswer(t *testing.T) {
	push, ack, probe := segment{cmd: cmdPush}.append(nil), segment{cmd: cmdAck}.append(nil), segment{cmd: cmdProbe}.append(nil)
	data := append(bytes.Clone(push[:20]), 2, 0, 0, 0, 'h', 'i')
	for _, c := range []struct {
		name   string
		packet []byte
		want   bool
	}{
		{"data", data, true},
		{"a question for the window", probe, true},
		{"acknowledgements", append(bytes.Clone(ack), ack...), false},
		{"data behind acknowledgements", append(append(bytes.Clone(ack), ack...), data...), true},
		{"data with parity on", withParity(kindData, data), true},
		{"acknowledgements with parity on", withParity(kindData, ack), false},
		{"parity", withParity(kindParity, data), false},
		{"cut", data[:len(data)-1], false},
		{"nothing", nil, false},
		{"short", push[:segmentSize-1], false},
	} {
		if got := wantsAnswer(c.packet); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestStages(t *testing.T) {
	want := map[stage][]stage{
		stageProved:   {stageHalfOpen, stageEnded},
		stageHalfOpen: {stageOpen, stageEnded},
		stageOpen:     {stageEnded},
	}
	for from := stage(0); from < stages; from++ {
		for to := stage(0); to < stages; to++ {
			may := false
			for _, s := range want[from] {
				may = may || s == to
			}
			if from.mayBecome(to) != may {
				t.Errorf("from %v to %v: %v", from, to, !may)
			}
		}
	}
	if got := stage(9).String(); got != "stage 9" {
		t.Errorf("an unknown stage is called %s", got)
	}
}

// at is a gate without a socket, at a fixed time.
type at struct {
	*testing.T
	*gate
	now time.Time
}

func newAt(t *testing.T) *at {
	g, err := newGate(nil, Config{ReceiveWindow: 512})
	if err != nil {
		t.Fatal(err)
	}
	return &at{t, g, time.Now()}
}

// says sends segments from an address, in one packet, and returns whether they pass
// and the answer.
func (a *at) says(from netip.AddrPort, segments ...segment) (passes bool, answer *segment) {
	a.Helper()
	var b []byte
	for _, s := range segments {
		b = s.append(b)
	}
	f, said := a.judge(from, b, a.now)
	if len(said) > len(b) {
		a.Errorf("%d bytes are answered to %d", len(said), len(b))
	}
	if said == nil {
		return f != nil, nil
	}
	s, rest, ok := cutSegment(said)
	if !ok || len(rest) > 0 {
		a.Fatalf("answered %x", said)
	}
	return f != nil, &s
}

// proves lets an address prove itself and returns its acknowledgement.
func (a *at) proves(from netip.AddrPort, conv uint32) segment {
	a.Helper()
	passes, challenge := a.says(from, segment{conv: conv, cmd: cmdPush})
	if passes || challenge == nil || challenge.conv != conv || challenge.cmd != cmdPush {
		a.Fatalf("a stranger passes %v and is answered %+v", passes, challenge)
	}
	ack := segment{conv: conv, cmd: cmdAck, ts: challenge.ts, sn: challenge.sn}
	if passes, answer := a.says(from, ack); passes || answer != nil {
		a.Fatalf("the cookie passes %v and is answered %+v", passes, answer)
	}
	return ack
}

var (
	alice = netip.MustParseAddrPort("192.0.2.1:1000")
	bob   = netip.MustParseAddrPort("192.0.2.2:1000")
)

func TestGateKeepsNothingOfStrangers(t *testing.T) {
	a := newAt(t)
	for i := range 5000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1)
		for _, s := range []segment{{cmd: cmdPush}, {cmd: cmdProbe}, {cmd: cmdAck, sn: longAgo}, {cmd: cmdPush, sn: 1 << 20}, {cmd: 77}} {
			if passes, _ := a.says(from, s); passes {
				t.Fatalf("%+v of a stranger passes", s)
			}
		}
	}
	if len(a.flows) > 0 || len(a.hosts) > 0 || a.half > 0 {
		t.Errorf("%d flows, %d hosts, %d half-open", len(a.flows), len(a.hosts), a.half)
	}
}

func TestCookieIsOfItsAddressConversationAndTime(t *testing.T) {
	a := newAt(t)
	_, c := a.says(alice, segment{conv: 7, cmd: cmdPush})
	if c.sn < longAgo || int32(c.sn-512) >= 0 {
		t.Errorf("the sequence number %x is not long ago for KCP", c.sn)
	}
	ack := segment{conv: 7, cmd: cmdAck, ts: c.ts, sn: c.sn}
	for name, try := range map[string]struct {
		from  netip.AddrPort
		s     segment
		later time.Duration
	}{
		"another address":      {bob, ack, 0},
		"another port":         {netip.AddrPortFrom(alice.Addr(), 1001), ack, 0},
		"another conversation": {alice, segment{conv: 8, cmd: cmdAck, ts: c.ts, sn: c.sn}, 0},
		"another timestamp":    {alice, segment{conv: 7, cmd: cmdAck, ts: c.ts + 1, sn: c.sn}, 0},
		"too late":             {alice, ack, 2 * epochTime},
	} {
		a.now = a.now.Add(try.later)
		a.says(try.from, try.s)
		a.now = a.now.Add(-try.later)
		if len(a.flows) > 0 {
			t.Errorf("%s: taken", name)
			clear(a.flows)
		}
	}
	a.now = a.now.Add(epochTime)
	a.says(alice, ack)
	if len(a.flows) != 1 {
		t.Error("the right one was not taken")
	}
	other := newAt(t)
	other.says(alice, ack)
	if len(other.flows) > 0 {
		t.Error("that of another gate was taken")
	}
}

func TestProvedAddressMayBegin(t *testing.T) {
	a := newAt(t)
	ack := a.proves(alice, 7)
	f := a.flows[alice]
	for _, c := range []struct {
		name   string
		s      segment
		passes bool
	}{
		{"the cookie again", ack, false},
		{"an acknowledgement, of an earlier session", segment{conv: 7, cmd: cmdAck}, false},
		{"a question", segment{conv: 7, cmd: cmdProbe}, false},
		{"data", segment{conv: 7, cmd: cmdPush}, true},
	} {
		if passes, _ := a.says(alice, c.s); passes != c.passes {
			t.Errorf("%s passes: %v", c.name, passes)
		}
	}
	if passes, _ := a.says(bob, segment{conv: 7, cmd: cmdPush}); passes {
		t.Error("another address passes")
	}
	if b := withParity(kindParity, make([]byte, 30)); func() bool { f, _ := a.judge(alice, b, a.now); return f != nil }() {
		t.Error("parity passes in front of a session")
	}
	if !a.move(f, stageHalfOpen) || !a.move(f, stageOpen) {
		t.Fatalf("stage %v", f.stage)
	}
	if a.half != 0 || len(a.hosts) != 0 {
		t.Errorf("%d half-open of %d hosts", a.half, len(a.hosts))
	}
	for _, s := range []segment{{conv: 7, cmd: cmdAck}, {conv: 7, cmd: cmdProbe}, {conv: 7, cmd: cmdPush, sn: 1 << 30}} {
		if passes, _ := a.says(alice, s); !passes {
			t.Errorf("%+v of an open session does not pass", s)
		}
	}
	if passes, _ := a.says(alice, ack); passes {
		t.Error("the cookie passes, whose timestamp would spoil KCP's clock")
	}
	// A forger of the address can't end the session.
	if passes, _ := a.says(alice, segment{conv: 8, cmd: cmdPush}); passes || a.flows[alice] != f {
		t.Error("a forged beginning passes")
	}
	a.proves(alice, 8)
	if f.stage != stageEnded || a.flows[alice] == f || a.half != 1 {
		t.Errorf("a real beginning: the first flow is %v, %d half-open", f.stage, a.half)
	}
	if a.move(f, stageEnded) || a.flows[alice] == nil {
		t.Error("the end of the first session ends the second one's flow")
	}
	a.move(a.flows[alice], stageEnded)
	if len(a.flows) > 0 || a.half != 0 || len(a.hosts) != 0 {
		t.Errorf("%d flows, %d half-open, %d hosts are left", len(a.flows), a.half, len(a.hosts))
	}
}

// Addresses that prove themselves and send nothing keep others out only for a while,
// and those of one host do not keep out other hosts.
func TestHalfOpenIsBounded(t *testing.T) {
	a := newAt(t)
	for i := range 10 * MaxHalfOpenPerHost {
		a.proves(netip.AddrPortFrom(alice.Addr(), uint16(i+1)), 7)
	}
	if a.half != MaxHalfOpenPerHost {
		t.Errorf("%d half-open of one host, want %d", a.half, MaxHalfOpenPerHost)
	}
	six := netip.MustParseAddr("2001:db8::1").As16()
	for i := range 10 * MaxHalfOpenPerHost {
		six[15] = byte(i)
		a.proves(netip.AddrPortFrom(netip.AddrFrom16(six), uint16(i+1)), 7)
	}
	if a.half != 2*MaxHalfOpenPerHost {
		t.Errorf("%d half-open with those of one /64, want %d", a.half, 2*MaxHalfOpenPerHost)
	}
	for i := range 10 * MaxHalfOpen {
		a.proves(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1), 7)
	}
	if a.half != MaxHalfOpen || len(a.flows) != MaxHalfOpen {
		t.Errorf("%d half-open and %d flows in all, want %d", a.half, len(a.flows), MaxHalfOpen)
	}
	a.now = a.now.Add(greetTime + time.Millisecond)
	a.proves(bob, 7)
	if a.half != 1 || a.flows[bob] == nil {
		t.Errorf("after their time %d are half-open", a.half)
	}
}

// Sending without an answer ends after a while; an answer starts the time again.
func TestUnansweredEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(alice)
		ended := make(chan bool, 9)
		end := func() { ended <- true }
		f.onLost.Store(&end)
		for range 3 {
			for range 15 {
				if !f.mayWrite(true) || !f.mayWrite(false) {
					t.Fatal("refused before its time")
				}
				time.Sleep(maxUnanswered / 15)
			}
			f.heard()
		}
		for range 100 { // nothing that wants an answer
			time.Sleep(time.Second)
			if !f.mayWrite(false) {
				t.Fatal("acknowledgements are refused")
			}
		}
		f.mayWrite(true)
		time.Sleep(maxUnanswered + time.Second)
		for range 3 {
			if f.mayWrite(true) || f.mayWrite(false) {
				t.Error("still sent")
			}
		}
		synctest.Wait()
		if len(ended) != 1 {
			t.Errorf("told %d times", len(ended))
		}
	})
}

func FuzzGate(f *testing.F) {
	f.Add(segment{cmd: cmdPush}.append(nil))
	f.Add(withParity(kindData, segment{cmd: cmdProbe}.append(nil)))
	f.Add(withParity(kindParity, nil))
	g, err := newGate(nil, Config{ReceiveWindow: 512})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		if wantsAnswer(packet) && len(packet) < segmentSize {
			t.Errorf("%x", packet)
		}
		passed, answer := g.judge(alice, packet, time.Now())
		if passed != nil || len(answer) > len(packet) || len(g.flows) > 0 {
			t.Errorf("%x passes %v and is answered %x", packet, passed != nil, answer)
		}
	})
}
