package session

import (
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
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
