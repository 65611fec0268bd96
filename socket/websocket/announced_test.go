package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// frame returns a frame of a client.
func frame(first byte, size uint64, payload ...byte) []byte {
	b := []byte{first}
	switch {
	case size < 126:
		b = append(b, 0x80|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), size)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func TestHeads(t *testing.T) {
	const limit = 1000
	const text, binaryFin, more, last, ping = 0x01, 0x82, 0x00, 0x80, 0x89
	zeros := make([]byte, limit)
	for _, c := range []struct {
		name   string
		frames [][]byte
		fits   bool
	}{
		{"small ones", [][]byte{frame(binaryFin, 3, 1, 2, 3), frame(binaryFin, 0), frame(binaryFin, 1, 1)}, true},
		{"at the limit, twice", [][]byte{frame(binaryFin, limit, zeros...), frame(binaryFin, limit, zeros...)}, true},
		{"above it", [][]byte{frame(binaryFin, limit+1)}, false},
		{"far above it", [][]byte{frame(binaryFin, 1<<62)}, false},
		{"in parts, at the limit", [][]byte{frame(text, 600, zeros[:600]...), frame(ping, 125, zeros[:125]...), frame(more, 300, zeros[:300]...), frame(last, 100, zeros[:100]...), frame(binaryFin, limit, zeros...)}, true},
		{"in parts, above it", [][]byte{frame(text, 600, zeros[:600]...), frame(more, 401)}, false},
		{"a length below 0 is for the library", [][]byte{frame(binaryFin, 1<<63)}, true},
		{"a ping that is too long is, too", [][]byte{frame(ping, 1<<40)}, true},
	} {
		stream := bytes.Join(c.frames, nil)
		for _, step := range []int{1, 2, 7, len(stream)} {
			h := heads{limit: limit}
			var err error
			for b := stream; len(b) > 0 && err == nil; b = b[min(step, len(b)):] {
				err = h.see(b[:min(step, len(b))])
			}
			if (err == nil) != c.fits || err != nil && !errors.Is(err, websocket.ErrMessageTooBig) {
				t.Errorf("%s, in steps of %d: %v", c.name, step, err)
			}
		}
	}
}

func FuzzHeads(f *testing.F) {
	f.Add(frame(0x82, 3, 1, 2, 3), 2)
	f.Add(frame(0x82, 1<<40), 1)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = min(max(step, 1), 64)
		whole, parts := heads{limit: 100}, heads{limit: 100}
		want := whole.see(b)
		var got error
		for rest := b; len(rest) > 0 && got == nil; rest = rest[min(step, len(rest)):] {
			got = parts.see(rest[:min(step, len(rest))])
		}
		if (got == nil) != (want == nil) {
			t.Errorf("%x: %v, in steps of %d %v", b, want, step, got)
		}
		if len(whole.head) > 14 {
			t.Errorf("%x: %d bytes of a head are kept", b, len(whole.head))
		}
	})
}

// Frames are looked for behind the head of an upgrade, however its bytes are split,
// and not in other responses.
func TestFramesBehindAnAnswer(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: \r \r\n\r\n"
	large := string(frame(0x82, 1001))
	for _, c := range []struct {
		in, read string
		fails    bool
	}{
		{head + "\x82\x01x", head + "\x82\x01x", false},
		{head, head, false},
		{head + large, head, true},
		{"HTTP/1.1 307 Temporary Redirect\r\n\r\n" + large, "HTTP/1.1 307 Temporary Redirect\r\n\r\n" + large, false},
		{"HTTP/1.1 1", "HTTP/1.1 1", false},
		{"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head + large, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head, true},
		{"HTTP/1.0  101 \nUpgrade: websocket\n\n" + large, "HTTP/1.0  101 \nUpgrade: websocket\n\n", true},
		{"\r\n\r\n" + large, "\r\n\r\n" + large, false},
	} {
		for piece := 1; piece <= len(c.in); piece++ {
			w := watchDialed(nil, 1000)
			w.in = pieces{strings.NewReader(c.in), piece}
			got, err := io.ReadAll(w)
			if c.fails != errors.Is(err, websocket.ErrMessageTooBig) {
				t.Errorf("%q in pieces of %d: %v", c.in, piece, err)
			}
			// A head that comes in pieces may be read in part.
			if !strings.HasPrefix(string(got), c.read) || !c.fails && string(got) != c.read {
				t.Errorf("%q in pieces of %d: read %q", c.in, piece, got)
			}
		}
	}
}

// pieces reads at most n bytes at a time.
type pieces struct {
	io.Reader
	n int
}

func (r pieces) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.n)]) }
