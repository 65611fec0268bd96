package rawproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/xfer"
)

const limit = 1 << 20 // read limit of these tests, in bytes

func pack(t testing.TB, m *message.Message) []byte {
	t.Helper()
	b, err := New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpack(b []byte, m *message.Message) error {
	return New().Unpack(bufio.NewReader(bytes.NewReader(b)), m, limit)
}

// again returns the message that was read as one to send.
func again(m *message.Message) *message.Message {
	m2 := message.New(message.WithServiceMethod(m.ServiceMethod()), message.WithStatus(m.Status()),
		message.WithBodyCodec(m.BodyCodec()), message.WithBody(m.Raw()), message.WithXferPipe(m.XferPipe().IDs()...))
	m2.SetSeq(m.Seq())
	m2.SetMtype(m.Mtype())
	m.Meta().CopyTo(m2.Meta())
	return m2
}

// Every frame that was captured from v7 is read correctly and written again byte
// for byte.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Dir, Hex string
		Fields         struct {
			Seq           int32
			Mtype         byte
			ServiceMethod string `json:"service_method"`
			Status, Meta  string
			BodyCodec     byte   `json:"body_codec"`
			BodyHex       string `json:"body_hex"`
			Xfer          string `json:"xfer_ids"`
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 84 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		frame, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		var m message.Message
		if err := unpack(frame, &m); err != nil {
			t.Errorf("%s %s: %v", v.Name, v.Dir, err)
			continue
		}
		f := v.Fields
		if m.Seq() != f.Seq || m.Mtype() != f.Mtype || m.ServiceMethod() != f.ServiceMethod || m.BodyCodec() != f.BodyCodec ||
			string(m.Status().AppendQuery(nil)) != f.Status || m.Meta().String() != f.Meta ||
			hex.EncodeToString(m.Raw()) != f.BodyHex || string(m.XferPipe().IDs()) != f.Xfer || int(m.Size()) != len(frame) {
			t.Errorf("%s %s: read as %v, body %x; want %+v", v.Name, v.Dir, &m, m.Raw(), f)
		}
		m.Meta().Len() // parsed, so that it is written from its entries
		got := pack(t, again(&m))
		if strings.Contains(f.Xfer, "g") { // a compressor is free to choose
			var back message.Message
			if err := unpack(got, &back); err != nil || !bytes.Equal(back.Raw(), m.Raw()) {
				t.Errorf("%s %s: compressed again: %v", v.Name, v.Dir, err)
			}
		} else if !bytes.Equal(got, frame) {
			t.Errorf("%s %s: written\n%x, want\n%x", v.Name, v.Dir, got, frame)
		}
	}
}

func TestSequenceNumbers(t *testing.T) {
	for seq, text := range map[int32]string{
		0: "0", 1: "1", 35: "z", 36: "10", 1295: "zz", 1296: "100", -1: "-1", -36: "-10",
		math.MaxInt32: "zik0zj", math.MinInt32: "-zik0zk",
	} {
		if got := appendSeq(nil, seq); int(got[0]) != len(text) || string(got[1:]) != text {
			t.Errorf("%d is written %q, want %q", seq, got, text)
		}
		if got, ok := parseSeq([]byte(text)); !ok || got != seq {
			t.Errorf("%q is read %d, %v; want %d", text, got, ok, seq)
		}
	}
	for _, text := range []string{"", "-", "--1", "Z", "A1", " 1", "1 ", "+1", "1_0", "zik0zk", "-zik0zl", "zzzzzz", "1000000", "\x00", "/", ":", "`", "{"} {
		if got, ok := parseSeq([]byte(text)); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if got, ok := parseSeq([]byte("00001")); !ok || got != 1 {
		t.Errorf("leading zeros: %d, %v", got, ok)
	}
	for seq := int32(-50_000); seq < 50_000; seq += 7 {
		if got, ok := parseSeq(appendSeq(nil, seq)[1:]); !ok || got != seq {
			t.Fatalf("%d arrived back as %d, %v", seq, got, ok)
		}
	}
}

func TestTooLongFieldsAreErrors(t *testing.T) {
	long := strings.Repeat("x", 65535)
	fits := []message.Setting{
		message.WithServiceMethod(long[:255]),
		message.WithStatus(message.NewStatus(1, long[:65535-len("code=1&msg=")])),
		message.WithAddMeta("k", long[:65533]),
		message.WithAddMeta("k", strings.Repeat("%", 65533/3)),
	}
	tooLong := []struct {
		set  message.Setting
		want error
	}{
		{message.WithServiceMethod(long[:256]), ErrMethodTooLong},
		{message.WithStatus(message.NewStatus(1, long[:65536-len("code=1&msg=")])), ErrStatusTooLong},
		{message.WithAddMeta("k", long[:65534]), ErrMetaTooLong},
		{message.WithAddMeta("k", strings.Repeat("%", 65535/3)), ErrMetaTooLong},
		{message.WithStatus(message.NewStatus(1, "", strings.Repeat(long, 3))), ErrStatusTooLong}, // wraps around 16 bits
	}
	for i, set := range fits {
		m := message.New(set)
		var back message.Message
		if err := unpack(pack(t, m), &back); err != nil || back.String() == "" || back.Meta().Get("k") != m.Meta().Get("k") || back.Status().Msg() != m.Status().Msg() {
			t.Errorf("number %d, which just fits: %v", i, err)
		}
	}
	for i, c := range tooLong {
		if _, err := New().Pack(nil, message.New(c.set)); !errors.Is(err, c.want) {
			t.Errorf("number %d: %v, want %v", i, err, c.want)
		}
		if b, ok := New().(proto.HeadPacker).PackHead([]byte("dst"), message.New(c.set), 1); ok || string(b) != "dst" {
			t.Errorf("number %d: PackHead gave %q, %v", i, b, ok)
		}
	}
	m := message.New(message.WithXferPipe(bytes.Repeat([]byte("m"), xfer.MaxFilters)...))
	m.XferPipe().AppendFrom(message.New(message.WithXferPipe('m')).XferPipe())
	if _, err := New().Pack(nil, m); !errors.Is(err, ErrTooManyFilters) {
		t.Errorf("one filter too many: %v", err)
	}
}

// Head and body packed separately give the same frame.
func TestPackHead(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		m := message.New(message.WithServiceMethod("/m"), message.WithAddMeta("k", "v"), message.WithBodyCodec('s'),
			message.WithStatus(message.NewStatus(5, "no")), message.WithBody(bytes.Repeat([]byte("b"), n)))
		m.SetSeq(77)
		head, ok := New().(proto.HeadPacker).PackHead([]byte("dst"), m, n)
		want := append([]byte("dst"), pack(t, m)...)
		if got := append(head, m.Body().([]byte)...); !ok || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of body: %q, want %q", n, got, want)
		}
	}
	p := New().(proto.HeadPacker)
	if _, ok := p.PackHead(nil, message.New(message.WithXferPipe('m')), 1); ok {
		t.Error("a message with filters was packed without its body")
	}
	if math.MaxInt > math.MaxUint32 { // a shorter int can't hold such a length
		n := uint64(math.MaxUint32)
		if _, ok := p.PackHead(nil, message.New(), int(n)); ok {
			t.Error("a frame above 4 GiB has no length")
		}
	}
}

// A frame with a wrong length field is refused, or read within its own bounds; the
// bytes behind it are not touched.
func TestLyingLengths(t *testing.T) {
	m := message.New(message.WithServiceMethod("/m"), message.WithAddMeta("k", "v"), message.WithBodyCodec('s'),
		message.WithStatus(message.NewStatus(5, "no")), message.WithBody([]byte("body")))
	m.SetSeq(1)
	m.SetMtype(message.TypeCall)
	good := pack(t, m)
	next := pack(t, message.New(message.WithServiceMethod("/next")))
	at := map[string]int{"filters": 4, "seq": 5, "method": 8, "status": 11, "meta": 11 + 2 + len("code=5&msg=no")}
	for field, off := range at {
		for _, v := range []byte{1, 2, 3, 4, 5, 30, 127, 255} {
			frame := bytes.Clone(good)
			frame[off] = v
			r := bufio.NewReader(bytes.NewReader(append(frame, next...)))
			var got message.Message
			if err := New().Unpack(r, &got, limit); err != nil {
				if !errors.Is(err, proto.ErrMalformed) {
					t.Errorf("%s %d: %v", field, v, err)
				}
				continue
			}
			if err := New().Unpack(r, &got, limit); err != nil || got.ServiceMethod() != "/next" {
				t.Errorf("%s %d: what stands behind is read as %v, %v", field, v, &got, err)
			}
		}
	}
	for _, size := range []uint32{0, 1, 3, 4} {
		if err := unpack(binary.BigEndian.AppendUint32(nil, size), new(message.Message)); !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("a frame of %d bytes: %v", size, err)
		}
	}
	for n := range len(good) { // cut, with the length adjusted
		frame := bytes.Clone(good[:n])
		if n < 5 {
			continue
		}
		binary.BigEndian.PutUint32(frame, uint32(n))
		err := unpack(frame, new(message.Message))
		if whole := n >= len(good)-len("body"); (err == nil) != whole || err != nil && !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
}

func TestUnknownFilterIsMalformed(t *testing.T) {
	frame := []byte{0, 0, 0, 6, 1, 'Q'}
	if err := unpack(frame, new(message.Message)); !errors.Is(err, proto.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

// The limit applies to the frame and to its inflated content. Type and sequence
// number are known unless they went through filters.
func TestLimit(t *testing.T) {
	m := message.New(message.WithServiceMethod("/m"), message.WithBody(make([]byte, 5000)))
	m.SetSeq(-12345)
	m.SetMtype(message.TypeReply)
	frame := pack(t, m)
	read := func(frame []byte, limit int) (*message.Message, error) {
		var got message.Message
		err := New().Unpack(bufio.NewReader(bytes.NewReader(frame)), &got, limit)
		return &got, err
	}
	if _, err := read(frame, len(frame)); err != nil {
		t.Errorf("just at the limit: %v", err)
	}
	for _, sent := range []int{len(frame), 100, 14, 13} {
		got, err := read(frame[:sent], len(frame)-1)
		if !errors.Is(err, proto.ErrTooLarge) || got.Seq() != m.Seq() || got.Mtype() != message.TypeReply {
			t.Errorf("one above the limit, %d bytes sent: %v of message %v", sent, err, got)
		}
	}
	for _, sent := range []int{4, 5, 6, 9} {
		got, err := read(frame[:sent], len(frame)-1)
		if !errors.Is(err, proto.ErrTooLarge) || got.Mtype() != message.TypeUndefined {
			t.Errorf("one above the limit, %d bytes sent: %v of message %v", sent, err, got)
		}
	}
	m.XferPipe().AppendFrom(message.New(message.WithXferPipe('g')).XferPipe())
	small := pack(t, m)
	if len(small) > 1000 {
		t.Fatalf("compressed to %d bytes", len(small))
	}
	inner := len(frame) - 5
	if _, err := read(small, inner); err != nil {
		t.Errorf("inflates to just the limit: %v", err)
	}
	if _, err := read(small, inner-1); !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("inflates to one above the limit: %v", err)
	}
	if got, err := read(small, len(small)-1); !errors.Is(err, proto.ErrTooLarge) || got.Mtype() != message.TypeUndefined {
		t.Errorf("above the limit and behind filters: %v of message %v", err, got)
	}
}

// A refusal must not wait for bytes that the other side may never send.
func TestTooLargeDoesNotWait(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	go func() { _, _ = pw.Write([]byte{255, 255, 255, 255}) }() // then nothing more; ended by Close
	done := make(chan error, 1)
	go func() { done <- New().Unpack(bufio.NewReader(pr), new(message.Message), limit) }()
	if err := <-done; !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

func TestEveryFrameAroundTheReadersBuffer(t *testing.T) {
	const size = 4096
	for _, n := range []int{size - 40, size - 5, size - 4, size - 3, size - 2, size - 1, size, size + 1, size + 4, size + 5, 3 * size} {
		m := message.New(message.WithServiceMethod("/m"), message.WithAddMeta("k", "v"))
		m.SetSeq(1)
		body := bytes.Repeat([]byte("x"), n-len(pack(t, m))) // a frame of n bytes
		m.SetBody(body)
		frame := pack(t, m)
		if len(frame) != n {
			t.Fatalf("a frame of %d bytes, want %d", len(frame), n)
		}
		r := bufio.NewReaderSize(bytes.NewReader(append(frame, frame...)), size)
		for range 2 {
			var got message.Message
			if err := New().Unpack(r, &got, limit); err != nil || !bytes.Equal(got.Raw(), body) || got.Meta().Get("k") != "v" || int(got.Size()) != n {
				t.Errorf("a frame of %d bytes: %v, %v", n, &got, err)
			}
		}
	}
}

func small() *message.Message {
	m := message.New(message.WithServiceMethod("/math/add"), message.WithAddMeta("author", "andeya"), message.WithBodyCodec('j'), message.WithBody([]byte("[1,2,3]")))
	m.SetSeq(123456)
	m.SetMtype(message.TypeCall)
	return m
}

func TestPackAllocatesNothing(t *testing.T) {
	p, m := New(), small()
	dst := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := p.Pack(dst, m); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("Pack allocates %v times", n)
	}
}

func TestUnpackAllocatesNothing(t *testing.T) {
	message.Know("/math/add")
	p, frame := New(), pack(t, small())
	src := bytes.NewReader(frame)
	r := bufio.NewReader(src)
	var m message.Message
	if n := testing.AllocsPerRun(100, func() {
		src.Reset(frame)
		r.Reset(src)
		m.Reset()
		if err := p.Unpack(r, &m, limit); err != nil || m.Meta().Peek("author") == nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("Unpack allocates %v times", n)
	}
}

// FuzzUnpack: Unpack never panics or takes more than the limit allows, and a
// message survives packing and reading.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, small()))
	f.Add(pack(f, message.New(message.WithStatus(message.NewStatus(404, "Not Found", "")))))
	f.Add(pack(f, message.New(message.WithXferPipe('g', 'm'), message.WithBody(make([]byte, 100)))))
	f.Add([]byte{0, 0, 0, 5, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 64 << 10
		var m message.Message
		if err := New().Unpack(bufio.NewReaderSize(bytes.NewReader(b), 64), &m, limit); err != nil {
			return
		}
		if len(m.Raw()) > limit || int(m.Size()) > len(b) {
			t.Fatalf("a body of %d bytes in a frame of %d", len(m.Raw()), m.Size())
		}
		frame, err := New().Pack(nil, again(&m))
		if err != nil {
			// Texts with bytes that are escaped when written may become too long.
			if errors.Is(err, ErrMetaTooLong) || errors.Is(err, ErrStatusTooLong) {
				return
			}
			t.Fatalf("%v can't be written: %v", &m, err)
		}
		var back message.Message
		if err := New().Unpack(bufio.NewReader(bytes.NewReader(frame)), &back, 2*limit); err != nil {
			t.Fatalf("%v, written, can't be read: %v", &m, err)
		}
		m.SetSize(back.Size()) // it may be written shorter
		if back.String() != m.String() || !bytes.Equal(back.Raw(), m.Raw()) {
			t.Errorf("%v came back as %v", &m, &back)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	p, m := New(), small()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = p.Pack(dst[:0], m) // TestPackAllocatesNothing checks the error
	}
}

func BenchmarkUnpack(b *testing.B) {
	message.Know("/math/add")
	p, frame := New(), pack(b, small())
	src := bytes.NewReader(frame)
	r := bufio.NewReader(src)
	var m message.Message
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(frame)
		r.Reset(src)
		m.Reset()
		if err := p.Unpack(r, &m, limit); err != nil {
			b.Fatal(err)
		}
	}
}
