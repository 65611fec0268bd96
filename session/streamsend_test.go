package session

import (
	"slices"
	"sync"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/xfer"
)

// Messages of a program that waits for answers are written at once; those of one
// that does not are left to another goroutine, so that they share writes.
func TestWhoWritesTheMessagesOfAStream(t *testing.T) {
	const y, a, i = socket.FlushYield, socket.FlushAsync, socket.FlushInline
	type send struct {
		got  uint64
		more bool
		size int
		want socket.Flush
	}
	for _, c := range []struct {
		name  string
		sends []send
	}{
		{"one after another", []send{{0, false, 10, y}, {0, false, 10, y}, {0, false, 10, a}, {0, false, 10, a}}},
		{"ping-pong", []send{{0, false, 10, y}, {1, false, 10, y}, {2, false, 10, y}, {3, false, 10, y}}},
		{"an answer ends a burst", []send{{0, false, 10, y}, {0, false, 10, y}, {0, false, 10, a}, {1, false, 10, y}}},
		{"more to answer", []send{{1, true, 10, a}, {2, true, 10, a}, {3, false, 10, y}}},
		{"large ones", []send{{0, false, maxShared, i}, {0, true, maxShared, i}, {0, false, maxShared - 1, a}}},
	} {
		var o outgoing
		for n, s := range c.sends {
			o.body = make([]byte, s.size)
			if got := o.flush(s.got, s.more); got != s.want {
				t.Errorf("%s, message %d: %v, want %v", c.name, n, got, s.want)
			}
		}
	}
}

// A stream keeps a small buffer to encode messages in, and no large one.
func TestEncodingReusesMemory(t *testing.T) {
	var o outgoing
	encode := func(v any) []byte {
		m := message.New(message.WithBodyCodec('j'), message.WithBody(v))
		if err := o.encode(m); err != nil {
			t.Fatal(err)
		}
		return o.body
	}
	first := encode("some text")
	o.sent()
	second := encode("other")
	if string(second) != `"other"` || &first[0] != &second[0] {
		t.Errorf("%q is not where the message before it was", second)
	}
	o.sent()
	encode(string(make([]byte, maxScratch)))
	o.sent()
	if o.spare != nil {
		t.Errorf("%d bytes are kept", cap(o.spare))
	}
	bytes := []byte("as they are")
	if b := encode(bytes); &b[0] != &bytes[0] {
		t.Error("bytes were copied")
	}
	if err := o.encode(message.New(message.WithBodyCodec('j'), message.WithBody(make(chan int)))); err == nil {
		t.Error("a channel was encoded")
	}
}

// A packFilter calls a function for each message that is written. Its methods and
// the test that sets packs run on one goroutine.
type packFilter struct{ packs func() }

func (*packFilter) ID() byte     { return 'W' }
func (*packFilter) Name() string { return "packs" }

func (f *packFilter) OnPack(b []byte) ([]byte, error) { f.packs(); return b, nil }
func (*packFilter) OnUnpack(b []byte) ([]byte, error) { return b, nil }

var (
	onPack        = new(packFilter)
	registerPacks = sync.OnceFunc(func() { xfer.Reg(onPack) })
)

// A message counts before it is written: the other side may have it, and end the
// stream, before Send returns.
func TestMessageCountsBeforeItIsWritten(t *testing.T) {
	var s *Stream
	var counts []uint64
	registerPacks()
	onPack.packs = func() {
		n, _ := s.Counts()
		counts = append(counts, n)
	}
	u := streamUnit(t, nil, nil)
	s = openOn(t, u)
	defer s.Close()
	s.codec, s.pipe = 'j', []byte{onPack.ID()}
	for range 3 {
		if err := s.Send("text"); err != nil {
			t.Fatal(err)
		}
	}
	if want := []uint64{1, 2, 3}; !slices.Equal(counts, want) {
		t.Errorf("while messages are written %d count, want %d", counts, want)
	}
}
