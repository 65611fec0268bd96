package jsonproto_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/jsonproto"
)

func frame(text string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(text)))
	return append(append(b, 0), text...)
}

// byV7 returns the frame of a call as v7 writes it: with Go's escapes in the
// header, and only \" in the body.
func byV7(method string, body string) []byte {
	return frame(fmt.Sprintf(`{"seq":1,"mtype":1,"serviceMethod":%q,"status":"code=0","meta":"k=v","bodyCodec":106,"body":"%s"}`,
		method, strings.ReplaceAll(body, `"`, `\"`)))
}

// TestBodiesAreJSON packs bodies that v7 breaks. encoding/json must read them, and
// ours too.
func TestBodiesAreJSON(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, body := range []string{
		"", "text", `"a\"b\\c\n\t"`, "line1\nline2", `C:\`, `\`, `"`, `\"`, "\x00", "\b\f\n\r\t\v\a\x1f\x7f",
		"é中😀\u2028\ufeff\ufffd", string(all[:128]), string(all), "\x00\x01\x02\xff\x22\x5c", "\xed\xa0\x80\xc0\x80",
		strings.Repeat(`"`, 100000) + strings.Repeat("\x01", 100000),
	} {
		m := message.New(message.WithBody([]byte(body)))
		packed, err := jsonproto.New().Pack(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := unpack(t, packed).Raw(); string(got) != body {
			t.Errorf("%.100q came back as %.100q", body, got)
		}
		var other struct{ Body string }
		unmarshal(t, packed[5:], &other)
		if want := strings.ToValidUTF8(body, "\ufffd"); utf8.ValidString(body) && other.Body != want {
			t.Errorf("encoding/json reads %.100q from %.100q", other.Body, packed)
		}
		if utf8.ValidString(body) != utf8.Valid(packed[5:]) {
			t.Errorf("%.100q: only bytes of the body that are not UTF-8 may make the text so: %.100q", body, packed)
		}
	}
}

// TestMethods compares the text of a method with strconv.Quote, which v7 uses, as
// far as that is JSON.
func TestMethods(t *testing.T) {
	for _, method := range []string{
		"", "/math/add", `a"b\c`, "\b\f\n\r\t", "é中😀", "\u00a0\u200b\u2028\ufeff\ufffd", // as Quote
		"\x00\a\v\x1f\x7f", "\U000e0001", "bad\xff\xfe", // not as Quote
	} {
		packed, err := jsonproto.New().Pack(nil, message.New(message.WithServiceMethod(method)))
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(packed[5:]) {
			t.Errorf("%q: not JSON: %q", method, packed)
		}
		if quoted := strconv.Quote(method); json.Valid([]byte(quoted)) && !bytes.Contains(packed, []byte(`"serviceMethod":`+quoted)) {
			t.Errorf("%q: got %q, want it as %s", method, packed, quoted)
		}
		if got := unpack(t, packed).ServiceMethod(); got != method {
			t.Errorf("%q came back as %q", method, got)
		}
		if got := unpack(t, byV7(method, "")).ServiceMethod(); got != method {
			t.Errorf("%q, written by v7, is read as %q", method, got)
		}
	}
}

// TestMetaNotEscaped packs metadata whose query text is not escaped as we do it: a
// proxy may pass such text on.
func TestMetaNotEscaped(t *testing.T) {
	m := new(message.Message)
	m.Meta().SetQuery([]byte("k=\"\\\x01é"))
	packed, err := jsonproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, packed).Meta().Get("k"); got != "\"\\\x01é" || !json.Valid(packed[5:]) {
		t.Errorf("%q came back as %q", packed, got)
	}
}

// TestBodiesOfV7 reads bodies that v7 writes but does not escape.
func TestBodiesOfV7(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"nothing to escape", "plain é中😀 \xff", "plain é中😀 \xff"},
		{"quotes", `{"a":"b"}`, `{"a":"b"}`},
		{"line feed", "line1\nline2", "line1\nline2"},
		{"control bytes and quotes", "\x00\x01\"\x02\"", "\x00\x01\"\x02\""}, // v7 reads nothing
		{"as v7 reads it: an escape", `"a\nb"`, "\"a\nb\""},
		{"as v7 reads it: half a backslash", `a\\b`, `a\b`},
		{"as v7 reads it: ends before the quote", `"a\"b"`, `"a\`},
		{"as v7 reads it: ends there, and looks valid", `x\","seq":9,"z":"`, `x\`},
		{"as v7 reads it: and looks invalid", `x\","seq":9,"mtype":"no`, `x\`},
		{"no escape", `a\d+\.x\u12`, `a\d+\.x\u12`}, // v7 reads "a"
		{"backslash at the end", `C:\`, `C:\`},      // v7 reads nothing, here and below
		{"quote and backslash at the end", "\x00\x01\x02\xff\"\\", "\x00\x01\x02\xff\"\\"},
		{"one backslash", `\`, `\`},
		{"escapes and a backslash at the end", `"\n\t\\\`, `"\n\t\\\`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pad := range []int{0, 65000} { // read in place, and copied
				b := byV7("/m", c.body)
				if pad > 0 {
					text := strings.Replace(string(b[5:]), `"meta":"k=v"`, `"meta":"k=`+strings.Repeat("v", pad)+`"`, 1)
					b = frame(text)
				}
				m := unpack(t, b)
				if got := string(m.Raw()); got != c.want {
					t.Errorf("%q is read as %q, want %q", c.body, got, c.want)
				}
				if m.Seq() != 1 || m.Mtype() != 1 || m.ServiceMethod() != "/m" || m.BodyCodec() != 'j' || len(m.Meta().Get("k")) != max(1, pad) {
					t.Errorf("header: %.200v", m)
				}
			}
		})
	}
}

// TestForeign reads JSON as other programs may write it.
func TestForeign(t *testing.T) {
	deep := strings.Repeat("[", 250) + strings.Repeat("]", 250)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", `{}`, `Undefined seq=0 method="" status={code=0} meta="" codec=0 body=""`},
		{"white space", " {\r\n\t\"seq\" : -5 , \"mtype\"\n:1 , \"body\" : \"x\" } \n", `CALL seq=-5 method="" status={code=0} meta="" codec=0 body="x"`},
		{"any order", `{"body":"\"x\"","bodyCodec":255,"meta":"a=b","status":"code=9","serviceMethod":"/m","mtype":3,"seq":2147483647}`,
			`PUSH seq=2147483647 method="/m" status={code=9} meta="a=b" codec=255 body="\"x\""`},
		{"null", `{"seq":null,"mtype":null,"serviceMethod":null,"status":null,"meta":null,"bodyCodec":null,"body":null}`,
			`Undefined seq=0 method="" status={code=0} meta="" codec=0 body=""`},
		{"unknown fields", `{"a":[],"b":{},"c":[1,{"d":[-0.5e+1,true,false,null,"\u0041"]}],"seq":1,"f":1E-9,"g":` + deep + `}`,
			`Undefined seq=1 method="" status={code=0} meta="" codec=0 body=""`},
		{"twice", `{"seq":1,"seq":2,"mtype":1,"mtype":"x","body":"a","body":"b"}`, `CALL seq=1 method="" status={code=0} meta="" codec=0 body="a"`},
		{"body of numbers", `{"body":[1, 2,3],"mtype":1}`, `CALL seq=0 method="" status={code=0} meta="" codec=0 body="[1, 2,3]"`},
		{"body that is an object", `{"mtype":1,"body":{"a":"\"}"}}`, `CALL seq=0 method="" status={code=0} meta="" codec=0 body="{\"a\":\"\\\"}\"}"`},
		{"body that is a number", `{"mtype":1,"body":-12.5e3}`, `CALL seq=0 method="" status={code=0} meta="" codec=0 body="-12.5e3"`},
		{"escaped keys", `{"\u0073eq":7,"m\u0074ype":1}`, `CALL seq=7 method="" status={code=0} meta="" codec=0 body=""`},
		{"all escapes", `{"mtype":1,"body":"\"\\\/\b\f\n\r\t\u0041\u00e9\u4e2d\ud83d\ude00\ud83dx\ude00\ud83d\u0041"}`,
			`CALL seq=0 method="" status={code=0} meta="" codec=0 body="\"\\/\b\f\n\r\tAé中😀�x��A"`},
		{"Go's escapes", `{"mtype":1,"serviceMethod":"\a\v\x41\xff\U0001f600","meta":"k=\x01"}`,
			`CALL seq=0 method="\a\vA\xff😀" status={code=0} meta="k=\x01" codec=0 body=""`},
	} {
		m := unpack(t, frame(c.text))
		got := fmt.Sprintf("%s seq=%d method=%q status={%v} meta=%q codec=%d body=%q", message.TypeText(m.Mtype()), m.Seq(),
			m.ServiceMethod(), m.Status(), m.Meta().String(), m.BodyCodec(), m.Raw())
		if got != c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

func TestMalformed(t *testing.T) {
	head := `{"seq":1,"mtype":1,"serviceMethod":"/m","status":"code=0","meta":"","bodyCodec":106,"body":"`
	for name, b := range map[string][]byte{
		"empty frame":            {0, 0, 0, 0},
		"no text":                frame(""),
		"no filters where 3 are": {0, 0, 0, 3, 3, 'g', 'm'},
		"unknown filter":         {0, 0, 0, 4, 1, '?', '{', '}'},
		"filter fails":           {0, 0, 0, 5, 1, 'm', 1, 2, 3},
		"array":                  frame(`[]`),
		"no key":                 frame(`{`),
		"key without quotes":     frame(`{seq:1}`),
		"no colon":               frame(`{"seq"1}`),
		"no value":               frame(`{"seq":}`),
		"no comma":               frame(`{"seq":1"mtype":1}`),
		"comma at the end":       frame(`{"seq":1,}`),
		"no brace at the end":    frame(`{"seq":1`),
		"more behind the end":    frame(`{"seq":1}{}`),
		"number as text":         frame(`{"seq":"1"}`),
		"text as number":         frame(`{"meta":1}`),
		"fraction":               frame(`{"seq":1.5}`),
		"exponent":               frame(`{"seq":1e1}`),
		"zero in front":          frame(`{"seq":01}`),
		"plus":                   frame(`{"seq":+1}`),
		"minus alone":            frame(`{"seq":-}`),
		"seq 2^31":               frame(`{"seq":2147483648}`),
		"seq -2^31-1":            frame(`{"seq":-2147483649}`),
		"seq of 400 digits":      frame(`{"seq":` + strings.Repeat("9", 400) + `}`),
		"type 256":               frame(`{"mtype":256}`),
		"type -1":                frame(`{"mtype":-1}`),
		"codec 256":              frame(`{"bodyCodec":256}`),
		"status without number":  frame(`{"status":"code=x"}`),
		"text without end":       frame(`{"meta":"k=v}`),
		"text ends in backslash": frame(`{"meta":"k=v\`),
		"escape in header":       frame(`{"serviceMethod":"\d"}`),
		"hex digits in header":   frame(`{"serviceMethod":"\u12g4"}`),
		"hex digits cut":         frame(`{"serviceMethod":"\x1"}`),
		"no such rune":           frame(`{"serviceMethod":"\U00110000"}`),
		"escape in status":       frame(`{"status":"\d"}`),
		"escape in metadata":     frame(`{"meta":"\d"}`),
		"escape in key":          frame(`{"\d":1}`),
		"escape in unknown":      frame(`{"x":"\d"}`),
		"bad literal":            frame(`{"x":nul}`),
		"bad number":             frame(`{"x":1.}`),
		"bad exponent":           frame(`{"x":1e}`),
		"bad array":              frame(`{"x":[1 2]}`),
		"bad object":             frame(`{"x":{"a":1,2}}`),
		"brackets cross":         frame(`{"x":[{]}}`),
		"deep":                   frame(`{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`),
		"deep without an end":    frame(`{"x":` + strings.Repeat(`{"a":`, 1<<18)),
		"body without end":       frame(head + `abc`),
		"body of one quote":      frame(`{"seq":1,"mtype":1,"serviceMethod":"/m","status":"code=0","meta":"","bodyCodec":106,"body":"}`),
		"not by v7: body cut, and no seq": frame(strings.Replace(head, `"seq":1,`, "", 1) +
			`a\\"b"}`),
		"not by v7: body cut, and no quote at the end": frame(head + `a\\"b}`),
	} {
		err := jsonproto.New().Unpack(bufio.NewReader(bytes.NewReader(b)), new(message.Message), 8<<20)
		if !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("%s: error %v, want proto.ErrMalformed", name, err)
		}
	}
}

func TestPackRefuses(t *testing.T) {
	m := new(message.Message)
	for range 256 {
		m.XferPipe().AppendFrom(message.New(message.WithXferPipe('m')).XferPipe())
	}
	if _, err := jsonproto.New().Pack(nil, m); !errors.Is(err, jsonproto.ErrTooManyFilters) {
		t.Errorf("256 filters: %v", err)
	}
}

// TestIdentify: a message that is too large has its type and sequence number, even if
// no more of it arrives.
func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		text  string
		mtype byte
		seq   int32
	}{
		{`{"seq":7,"mtype":1,"serviceMethod":"/m"`, message.TypeCall, 7},
		{`{"seq":-2147483648,"mtype":255,"`, 255, -1 << 31},
		{`{"seq":7,"mtype":300,"serviceMethod":"/m"`, message.TypeUndefined, 0},
		{`{"seq":7,"mtype":1`, message.TypeUndefined, 0},
		{`{"seq":,"mtype":1,`, message.TypeUndefined, 0},
		{`{"mtype":1,"seq":7,`, message.TypeUndefined, 0},
		{``, message.TypeUndefined, 0},
	} {
		var m message.Message
		b := append([]byte{0x7f, 0, 0, 0, 0}, c.text...)
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader(make([]byte, 100))))
		err := jsonproto.New().Unpack(r, &m, 1<<20)
		if !errors.Is(err, proto.ErrTooLarge) || m.Mtype() != c.mtype || m.Seq() != c.seq {
			t.Errorf("%s: %v, type %d, seq %d", c.text, err, m.Mtype(), m.Seq())
		}
	}
}

// TestRandomBodies packs bodies of characters that are special in JSON.
func TestRandomBodies(t *testing.T) {
	parts := []string{`"`, `\`, `\\`, `\"`, "\n", "\x00", "u0041", "é", "\xff", "}", `"}`, `,"seq":9`, "text"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var body []byte
		for range rng.IntN(8) {
			body = append(body, parts[rng.IntN(len(parts))]...)
		}
		packed, err := jsonproto.New().Pack(nil, message.New(message.WithBody(body)))
		if err != nil {
			t.Fatal(err)
		}
		if got := unpack(t, packed).Raw(); !bytes.Equal(got, body) {
			t.Fatalf("%q came back as %q from %q", body, got, packed)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(frame(`{"seq":1,"mtype":1,"serviceMethod":"/math/add","status":"code=0","meta":"author=andeya","bodyCodec":106,"body":"[1,2,3]"}`))
	f.Add(byV7("\x00\U000e0001", `"a\"b\\c\n\t"`))
	f.Add(byV7("/m", `C:\`))
	f.Add(frame(`{"x":[{"a":-1.5e3},null],"body":{"a":[]},"mtype":1}`))
	f.Add([]byte("\x00\x00\x00\x05\x01g\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		var m message.Message
		var err error
		if n := wiretest.Allocated(func() { err = jsonproto.New().Unpack(bufio.NewReader(bytes.NewReader(b)), &m, limit) }); n > 8*limit+1<<20 {
			t.Fatalf("%d bytes were allocated for a frame in %d (%v)", n, len(b), err)
		}
		if err != nil {
			return
		}
		if len(m.Raw()) > limit {
			t.Fatalf("a body of %d bytes", len(m.Raw()))
		}
		raw := bytes.Clone(m.Raw())
		packed := repack(t, &m)
		if m.XferPipe().Len() == 0 && !json.Valid(packed[5:]) {
			t.Fatalf("not JSON: %q", packed)
		}
		again := unpack(t, packed)
		if again.Seq() != m.Seq() || again.Mtype() != m.Mtype() || again.ServiceMethod() != m.ServiceMethod() ||
			again.Meta().String() != m.Meta().String() || again.Status().String() != m.Status().String() || !bytes.Equal(again.Raw(), raw) {
			t.Fatalf("%v with %q became %v with %q", &m, raw, again, again.Raw())
		}
	})
}

func sample() *message.Message {
	body := bytes.Repeat([]byte(`{"name":"value","n":1},`), 25)
	m := message.New(message.WithServiceMethod("/math/add"), message.WithBodyCodec('j'), message.WithBody(body))
	m.SetMtype(message.TypeCall)
	return m
}

func BenchmarkPack(b *testing.B) {
	m := sample()
	f := jsonproto.New()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = f.Pack(dst[:0], m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	m := sample()
	message.Know("/math/add")
	f := jsonproto.New()
	packed, err := f.Pack(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	src := bytes.NewReader(packed)
	r := bufio.NewReader(src)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(packed)
		m.Reset()
		if err := f.Unpack(r, m, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
