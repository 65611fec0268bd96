package kcp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"
)

func TestBytesOnTheWire(t *testing.T) {
	for _, c := range []struct {
		what string
		got  []byte
		want string
	}{
		{"hello", appendHello(nil, 5*time.Second), "ff6572706301" + "00001388"},
		{"hello without keepalive", appendHello(nil, 0), "ff6572706301" + "00000000"},
		{"hello, a part of a millisecond", appendHello(nil, time.Nanosecond), "ff6572706301" + "00000001"},
		{"hello, more than fits", appendHello(nil, 1<<62), "ff6572706301" + "ffffffff"},
		{"data", append(appendHead(nil, recordData, 2), "hi"...), "00" + "0002" + "6869"},
		{"the largest", appendHead(nil, recordData, maxRecord), "00" + "4000"},
		{"ping", appendHead(nil, recordPing, 0), "010000"},
		{"end", appendHead(nil, recordEnd, 0), "020000"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	if p := helloPeriod(appendHello(nil, 1500*time.Millisecond)); p != 1500*time.Millisecond {
		t.Errorf("period %v", p)
	}
}

func readRecords(b []byte) ([]byte, error) {
	in := bufio.NewReaderSize(iotest.HalfReader(bytes.NewReader(b)), 16)
	r := recordReader{in: in}
	var got []byte
	for p := make([]byte, 7); ; {
		n, err := r.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			return got, err
		}
	}
}

func TestRecordReader(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 5000)
	data := func(b []byte) []byte { return append(appendHead(nil, recordData, len(b)), b...) }
	end := appendHead(nil, recordEnd, 0)
	for _, c := range []struct {
		name string
		in   [][]byte
		want []byte
		more bool // the end does not come
	}{
		{"only the end", [][]byte{end}, nil, false},
		{"data", [][]byte{data([]byte("ab")), data([]byte("c")), end}, []byte("abc"), false},
		{"no data in a record", [][]byte{data(nil), data([]byte("c")), data(nil), end}, []byte("c"), false},
		{"long", [][]byte{data(long), end}, long, false},
		{"pings", [][]byte{appendHead(nil, recordPing, 0), data([]byte("x")), appendHead(nil, recordPing, 0), end}, []byte("x"), false},
		{"of a later version, longer than the buffer", [][]byte{append(appendHead(nil, 77, 300), long[:300]...), data([]byte("x")), end}, []byte("x"), false},
		{"after the end", [][]byte{end, data([]byte("x"))}, nil, false},
		{"cut in the head", [][]byte{data([]byte("x")), {0, 0}}, []byte("x"), true},
		{"cut in the data", [][]byte{{0, 0, 9, 'x'}}, []byte("x"), true},
		{"nothing", nil, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := bytes.Join(c.in, nil)
			// errMore stands for what may still arrive of a cut stream.
			r := recordReader{in: bufio.NewReaderSize(io.MultiReader(bytes.NewReader(in), iotest.ErrReader(errMore)), 16)}
			got, err := io.ReadAll(&r)
			if !bytes.Equal(got, c.want) {
				t.Errorf("read %d bytes %.20q, want %d", len(got), got, len(c.want))
			}
			if c.more != errors.Is(err, errMore) || !c.more && err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

var errMore = errors.New("nothing more yet")

// A deadline may end a read anywhere; the next one continues there.
func TestRecordReaderGoesOn(t *testing.T) {
	stream := append(append(appendHead(nil, 9, 4), "skip"...), appendHead(nil, recordData, 3)...)
	stream = append(append(stream, "abc"...), appendHead(nil, recordEnd, 0)...)
	var got []byte
	var err error
	r := recordReader{in: bufio.NewReader(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(stream))))}
	timeouts := 0
	for err != io.EOF {
		p := make([]byte, 1)
		var n int
		n, err = r.Read(p)
		got = append(got, p[:n]...)
		if err == iotest.ErrTimeout {
			timeouts++
		} else if err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if string(got) != "abc" || timeouts != 1 {
		t.Errorf("read %q with %d timeouts", got, timeouts)
	}
}

func FuzzRecordReader(f *testing.F) {
	f.Add(append(append(appendHead(nil, recordData, 2), "hi"...), appendHead(nil, recordEnd, 0)...))
	f.Add([]byte{1, 0, 0, 0, 0, 1, 'x', 200, 0, 2, 1, 2, 2, 0, 0})
	f.Add([]byte{0, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readRecords(b)
		// Decode the same input at once.
		var want []byte
		ended := false
		for rest := b; len(rest) >= headSize && !ended; {
			n := int(rest[1])<<8 | int(rest[2])
			body := rest[headSize:]
			body = body[:min(n, len(body))]
			switch rest[0] {
			case recordEnd:
				ended = true
			case recordData:
				want = append(want, body...)
			}
			rest = rest[headSize+len(body):]
		}
		if !bytes.Equal(got, want) || err != io.EOF {
			t.Errorf("read %q and %v, want %q, ended %v", got, err, want, ended)
		}
	})
}
