package message

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/xfer"
)

const (
	panicCodec   = 201
	mirrorFilter = 202
)

// A bomb is a codec that panics, as a user's codec may.
type bomb struct{}

func (bomb) ID() byte                    { return panicCodec }
func (bomb) Name() string                { return "bomb" }
func (bomb) Marshal(any) ([]byte, error) { panic(io.ErrShortBuffer) }
func (bomb) Unmarshal([]byte, any) error { panic("unmarshal") }

type mirror struct{}

func (mirror) ID() byte                          { return mirrorFilter }
func (mirror) Name() string                      { return "mirror" }
func (mirror) OnPack(b []byte) ([]byte, error)   { return b, nil }
func (mirror) OnUnpack(b []byte) ([]byte, error) { return b, nil }

func TestMain(m *testing.M) {
	codec.Reg(bomb{})
	xfer.Reg(mirror{})
	m.Run()
}

func TestMarshalBody(t *testing.T) {
	bytesBody := []byte("raw bytes")
	var nilBytes *[]byte
	var nilStruct *struct{}
	for _, c := range []struct {
		name  string
		codec byte
		body  any
		want  string
	}{
		{"nil", 'j', nil, ""},
		{"nil without codec", 0, nil, ""},
		{"bytes are not JSON", 'j', bytesBody, "raw bytes"},
		{"bytes need no codec", 0, bytesBody, "raw bytes"},
		{"pointer to bytes", 'j', &bytesBody, "raw bytes"},
		{"nil pointer to bytes", 'j', nilBytes, ""},
		{"no bytes", 'j', []byte(nil), ""},
		{"nil pointer", 'j', nilStruct, "null"},
		{"value", 'j', []int{1, 2}, "[1,2]"},
		{"plain", 's', "text", "text"},
	} {
		m := New(WithBody(c.body), WithBodyCodec(c.codec))
		if got, err := m.MarshalBody(); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
		if got, err := m.AppendBody([]byte("head ")); err != nil || string(got) != "head "+c.want {
			t.Errorf("%s: appended %q, %v", c.name, got, err)
		}
	}
	for name, m := range map[string]*Message{
		"no codec":      New(WithBody(1)),
		"unknown codec": New(WithBody(1), WithBodyCodec(250)),
		"no such type":  New(WithBody(func() {}), WithBodyCodec('j')),
	} {
		if b, err := m.MarshalBody(); err == nil {
			t.Errorf("%s: %q without an error", name, b)
		}
	}
}

// A large body of bytes is appended whole, whatever the capacity.
func TestAppendLargeBody(t *testing.T) {
	body := make([]byte, 2*copyPiece+17)
	for i := range body {
		body[i] = byte(i * 7)
	}
	for _, room := range []int{5, 100, len(body), len(body) + 5, 2 * len(body)} {
		got, err := New(WithBody(body)).AppendBody(append(make([]byte, 0, room), "head "...))
		if err != nil || string(got[:5]) != "head " || !bytes.Equal(got[5:], body) {
			t.Errorf("with room for %d bytes: %d bytes, %v", room, len(got), err)
		}
	}
}

func TestUnmarshalBody(t *testing.T) {
	var ints []int
	raw := []byte("old and longer than the new")
	for _, c := range []struct {
		name string
		body any
		data string
		want any
	}{
		{"value", &ints, "[1,2]", &[]int{1, 2}},
		{"bytes", &raw, "new", new([]byte("new"))},
		{"no data leaves it", &ints, "", &[]int{1, 2}},
		{"no body", nil, "[1]", nil},
	} {
		m := New(WithBody(c.body), WithBodyCodec('j'))
		if err := m.UnmarshalBody([]byte(c.data)); err != nil || !reflect.DeepEqual(m.Body(), c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, m.Body(), err, c.want)
		}
	}
	for name, m := range map[string]*Message{
		"unknown codec":        New(WithBody(&ints), WithBodyCodec(250)),
		"not JSON":             New(WithBody(&ints), WithBodyCodec('j')),
		"nil pointer to bytes": New(WithBody((*[]byte)(nil))),
		"nil pointer":          New(WithBody((*int)(nil)), WithBodyCodec('j')),
	} {
		if err := m.UnmarshalBody([]byte("{")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNewBodySeesTheHeader(t *testing.T) {
	var seen string
	m := New(WithBodyCodec('j'), WithServiceMethod("/a"), WithNewBody(func(h *Header) any {
		seen = h.ServiceMethod()
		return new(int)
	}))
	if err := m.UnmarshalBody([]byte("7")); err != nil || *m.Body().(*int) != 7 || seen != "/a" {
		t.Errorf("decoded %v for %q, %v", m.Body(), seen, err)
	}
	var own int
	m.SetBody(&own)
	m.SetNewBody(func(*Header) any { t.Error("called though there is a body"); return nil })
	if err := m.UnmarshalBody([]byte("8")); err != nil || own != 8 {
		t.Errorf("decoded %d, %v", own, err)
	}
	m.Reset(WithNewBody(func(*Header) any { return nil }))
	if err := m.UnmarshalBody([]byte("9")); err != nil || m.Body() != nil {
		t.Errorf("a body that NewBody declines: %v, %v", m.Body(), err)
	}
}

func TestCodecPanicsAreErrors(t *testing.T) {
	var pe *PanicError
	m := New(WithBody(1), WithBodyCodec(panicCodec))
	if _, err := m.AppendBody(nil); !errors.As(err, &pe) || !errors.Is(err, io.ErrShortBuffer) || pe.Where != "codec bomb" {
		t.Errorf("Marshal panicked: %v", err)
	}
	if _, err := m.MarshalBody(); !errors.As(err, &pe) {
		t.Errorf("Marshal panicked: %v", err)
	}
	m.SetBody(new(int))
	if err := m.UnmarshalBody([]byte("1")); !errors.As(err, &pe) || pe.Value != "unmarshal" || errors.Unwrap(pe) != nil {
		t.Errorf("Unmarshal panicked: %v", err)
	}
	if got := pe.Error(); got != "panic in codec bomb: unmarshal" {
		t.Errorf("text %q", got)
	}
	if !strings.Contains(string(pe.Stack), "Unmarshal") {
		t.Errorf("the stack does not show the codec:\n%s", pe.Stack)
	}
}

// A decoded body outlives its message.
func TestDecodedBytesAreTheCallers(t *testing.T) {
	for _, n := range []int{1, 100, 1 << 20} {
		var m Message
		want := bytes.Repeat([]byte("x"), n)
		m.SetRaw(m.Store(want))
		var got []byte
		m.SetBody(&got)
		if err := m.UnmarshalBody(m.Raw()); err != nil {
			t.Fatal(err)
		}
		m.Reset()
		clear(m.Storage(n)) // the next message
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes changed when the message was used again", n)
		}
	}
}

func TestStorage(t *testing.T) {
	var m Message
	a := m.Storage(100)
	if len(a) != 100 {
		t.Fatalf("%d bytes", len(a))
	}
	if b := m.Storage(50); len(b) != 50 || &b[0] != &a[0] {
		t.Error("storage is allocated again though it is large enough")
	}
	src := []byte("bytes of the connection")
	if s := m.Store(src); string(s) != string(src) || &s[0] == &src[0] {
		t.Error("Store did not copy")
	}
	given := m.GiveStorage()
	if b := m.Storage(1); unsafe.SliceData(b) == unsafe.SliceData(given) {
		t.Error("storage that was given away is used")
	}
	grown := append(m.Storage(0), "grown"...)
	m.Keep(grown)
	if b := m.Storage(5); &b[0] != &grown[0] {
		t.Error("Keep did not keep")
	}
}

func TestSettings(t *testing.T) {
	ctx := context.WithValue(t.Context(), t, 1)
	st := NewStatus(1, "s")
	m := New(
		WithNothing(), nil, WithContext(ctx), WithServiceMethod("/m"), WithStatus(st),
		WithAddMeta("a", "1"), WithAddMeta("a", "2"), WithSetMeta("a", "3"), WithAddMeta("b", "4"), WithDelMeta("b"),
		WithRealIP("1.2.3.4"), WithAcceptBodyCodec('f'), WithAcceptBodyCodec(0), WithBodyCodec('j'), WithBody("b"),
		WithXferPipe(mirrorFilter),
	)
	if m.Context() != ctx || m.ServiceMethod() != "/m" || m.Status() != st || m.StatusOK() || m.BodyCodec() != 'j' || m.Body() != "b" {
		t.Errorf("settings made %v", m)
	}
	if got, want := m.Meta().String(), "a=3&a=2&X-Real-IP=1.2.3.4&X-Accept-Body-Codec=102"; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if id, ok := AcceptBodyCodec(m.Meta()); id != 'f' || !ok {
		t.Errorf("accepts %d, %v", id, ok)
	}
	if got := m.XferPipe().IDs(); !bytes.Equal(got, []byte{mirrorFilter}) || m.Err() != nil {
		t.Errorf("filters %v, error %v", got, m.Err())
	}
	if again := New(WithAddMeta("gone", "1"), WithXferPipe(mirrorFilter), WithMessage(m)); again.String() != m.String() || again.Context() != ctx {
		t.Errorf("another message got %v, want %v", again, m)
	}
	m.Reset(WithXferPipe(250), WithXferPipe(251))
	if err := New(WithMessage(m)).Err(); err == nil || err != m.Err() {
		t.Errorf("another message has the error %v, want %v", err, m.Err())
	}
	if err := m.Err(); !errors.Is(err, xfer.ErrUnknownFilter) || !strings.Contains(err.Error(), "250") {
		t.Errorf("an unknown filter: %v, want the first of them", err)
	}
}

func TestAcceptBodyCodecOfBadText(t *testing.T) {
	for text, want := range map[string]byte{"": 0, "x": 0, "0": 0, "256": 0, "-1": 0, "1e1": 0, "7": 7, "255": 255} {
		var m Meta
		m.Set(MetaAcceptBodyCodec, text)
		if id, ok := AcceptBodyCodec(&m); id != want && ok || ok != (want != 0) {
			t.Errorf("%q: %d, %v", text, id, ok)
		}
	}
	if _, ok := AcceptBodyCodec(new(Meta)); ok {
		t.Error("no metadata asks for nothing")
	}
}

// After Reset every field of a message but its storage is as new, so that data of
// one session can't get into another.
func TestResetKeepsNothing(t *testing.T) {
	m := New(WithContext(t.Context()), WithServiceMethod("/m"), WithStatus(NewStatus(1, "")), WithAddMeta("k", "v"),
		WithBodyCodec('j'), WithBody(1), WithNewBody(func(*Header) any { return nil }), WithXferPipe(mirrorFilter), WithXferPipe(250))
	m.SetSeq(7)
	m.SetMtype(TypeCall)
	m.SetRaw(m.Store([]byte("raw")))
	m.SetSize(9)
	m.SetReadLimit(9)
	m.SetEarnedStorage(9)
	m.SetCodecs(codec.NewSet())
	m.SetDecodeRoom(&fakeRoom{})
	m.SetInTurn(true)
	m.BodyIsZero()
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test leaves %s zero", v.Type().Field(i).Name)
		}
	}
	m.Reset()
	if got, want := m.String(), new(Message).String(); got != want {
		t.Errorf("after Reset: %s", got)
	}
	m.pipe = xfer.XferPipe{} // the text above shows that it is empty
	m.meta = Meta{}
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "buf" && !v.Field(i).IsZero() {
			t.Errorf("Reset keeps %s", name)
		}
	}
	if cap(m.buf) == 0 {
		t.Error("Reset threw away storage of ordinary size")
	}
	m.Storage(maxKept + 1)
	m.Reset()
	if m.buf != nil {
		t.Error("Reset kept large storage")
	}
	if m.Context() == nil {
		t.Error("a message without context has none")
	}
}

func TestStringShowsNoBody(t *testing.T) {
	m := New(WithBody([]string{"secret"}), WithServiceMethod("/m"), WithAddMeta("k", "v"), WithStatus(NewStatus(5, "no")))
	m.SetMtype(TypePush)
	s := fmt.Sprint(m)
	if strings.Contains(s, "secret") {
		t.Errorf("the text has the body: %s", s)
	}
	for _, part := range []string{"PUSH", "/m", "k=v", "code=5", "[]string"} {
		if !strings.Contains(s, part) {
			t.Errorf("the text lacks %s: %s", part, s)
		}
	}
}

func TestTypeTexts(t *testing.T) {
	for mtype, want := range []string{"Undefined", "CALL", "REPLY", "PUSH", "AUTH_CALL", "AUTH_REPLY",
		"STREAM_OPEN", "STREAM_DATA", "STREAM_END", "STREAM_CREDIT", "STREAM_DATA", "Undefined"} {
		if got := TypeText(byte(mtype)); got != want {
			t.Errorf("type %d is %s, want %s", mtype, got, want)
		}
	}
}

// Registered methods are interned without allocating; what a peer sends is not
// stored.
func TestInternIsBoundedByKnow(t *testing.T) {
	Know("/known/method")
	size := len(*known.table.Load())
	wire := []byte("/known/method")
	if n := testing.AllocsPerRun(100, func() {
		if Intern(wire) != "/known/method" {
			t.Error("another method")
		}
	}); n != 0 {
		t.Errorf("a known method allocates %v times", n)
	}
	for i := range 1000 {
		method := fmt.Sprint("/unknown/", i)
		if got := Intern([]byte(method)); got != method {
			t.Errorf("%s became %s", method, got)
		}
	}
	Know("/known/method")
	if got := len(*known.table.Load()); got != size {
		t.Errorf("the table grew from %d to %d methods", size, got)
	}
	wire[1] = 'X'
	if Intern([]byte("/known/method")) != "/known/method" || Intern(nil) != "" {
		t.Error("the table holds bytes of the wire")
	}
}

// It returns all the storage that is available: a caller that asks for more gets
// other storage then, and may keep this one.
func TestStorageUpTo(t *testing.T) {
	for _, have := range []int{0, 10, 100, 1000, 5000} {
		for _, want := range [][2]int{{100, 100}, {100, 1000}, {1000, 1000}, {1, 5000}} {
			var m Message
			m.Keep(make([]byte, 0, have))
			n, most := want[0], want[1]
			b := m.StorageUpTo(n, most)
			if len(b) < n || len(b) > most || len(b) < min(most, cap(b)) {
				t.Errorf("with %d bytes of storage, %d to %d: got %d of %d", have, n, most, len(b), cap(b))
			}
			if have < n && len(b) > 2*n {
				t.Errorf("%d bytes were made for %d", len(b), n)
			}
		}
	}
}

// A fakeRoom records what is taken and given.
type fakeRoom struct {
	taken, given []int
	tried        []int
	plenty       bool // TryTake takes
	err          error
}

func (r *fakeRoom) TryTake(n int) bool {
	r.tried = append(r.tried, n)
	if r.plenty {
		r.taken = append(r.taken, n)
	}
	return r.plenty
}

func (r *fakeRoom) Take(n int) error { r.taken = append(r.taken, n); return r.err }
func (r *fakeRoom) Give(n int)       { r.given = append(r.given, n) }

// TestDecodingAsksForRoom: room is taken before a body is decoded, but not for a
// small body or one that is not decoded.
func TestDecodingAsksForRoom(t *testing.T) {
	full := errors.New("full")
	numbers := []byte("[" + strings.Repeat("1,", 999) + "1]")
	for _, c := range []struct {
		name   string
		body   any
		data   []byte
		err    error // of the room
		asked  bool
		want   error
		plenty bool
	}{
		{name: "large, and there is plenty of room", body: new([]int), data: numbers, asked: true, plenty: true},
		{name: "large", body: new([]int), data: numbers, asked: true},
		{name: "no room", body: new([]int), data: numbers, err: full, asked: true, want: full},
		{name: "can't be decoded", body: new([]string), data: numbers, asked: true, want: new(json.UnmarshalTypeError)},
		{name: "small", body: new(int), data: []byte("1"), err: full},
		{name: "bytes", body: new([]byte), data: numbers, err: full},
		{name: "no body", data: numbers, err: full},
	} {
		r := &fakeRoom{err: c.err, plenty: c.plenty}
		m := New(WithBodyCodec('j'), WithBody(c.body))
		m.SetDecodeRoom(r)
		err := m.UnmarshalBody(c.data)
		if (err == nil) != (c.want == nil) || c.want == full && !errors.Is(err, full) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if asked := len(r.taken) == 1 && r.taken[0] > FreeDecode; asked != c.asked || !asked && len(r.taken) > 0 {
			t.Errorf("%s: took %v", c.name, r.taken)
		}
		if asked := len(r.tried) == 1; asked != c.asked || c.plenty && r.taken[0] != r.tried[0] || asked && r.taken[0] > r.tried[0] {
			t.Errorf("%s: tried %v, took %v", c.name, r.tried, r.taken)
		}
		if want := c.asked && c.err == nil; want != (len(r.given) == 1) || want && r.given[0] != r.taken[0] {
			t.Errorf("%s: took %v, gave %v", c.name, r.taken, r.given)
		}
	}
}
