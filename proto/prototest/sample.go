package prototest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/goerpc/erpc/message"
)

func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// large returns 1 MiB of bytes of every value, which a filter can't compress to
// almost nothing.
func large() []byte {
	b := make([]byte, 1<<20)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// pattern returns a name of n bytes.
func pattern(n int) string {
	return string(bytes.Repeat([]byte("/abcdefg"), n/8+1)[:n])
}

// A sample describes a message to send, which can be made repeatedly.
type sample struct {
	mtype   byte
	codec   byte
	seq     int32
	method  string
	status  *message.Status
	meta    []string
	body    []byte
	filters []byte
}

// base is a sample of the first value of each list.
func (s *suite) base() sample {
	p := sample{
		mtype: s.Types[0], codec: s.Codecs[0], seq: s.Seqs[0], method: s.Methods[0],
		status: s.Statuses[0], meta: s.Meta[0], body: []byte("text"),
	}
	if len(s.Meta) > 1 {
		p.meta = s.Meta[1]
	}
	if !slices.ContainsFunc(s.Bodies, isText) {
		p.body = s.Bodies[0]
	}
	return p
}

// isText compares the length first: the race detector checks every byte that is
// compared, and isText runs for each message.
func isText(b []byte) bool { return len(b) == len("text") && string(b) == "text" }

// nth is the base sample with its own sequence number and body.
func (s *suite) nth(i int) sample {
	p := s.base()
	p.seq = s.Seqs[i%len(s.Seqs)]
	p.mtype = s.Types[i%len(s.Types)]
	p.body = s.Bodies[i%len(s.Bodies)]
	if len(p.body) > 1<<10 {
		p.body = p.body[:1<<10]
	}
	if k := len(s.Filters); k > 0 && i%3 == 0 {
		p.filters = s.Filters[i%k : i%k+1]
	}
	return p
}

func (p sample) message() *message.Message {
	m := message.New(message.WithXferPipe(p.filters...), message.WithBody(p.body), message.WithStatus(p.status),
		message.WithServiceMethod(p.method), message.WithBodyCodec(p.codec))
	m.SetMtype(p.mtype)
	m.SetSeq(p.seq)
	for i := 0; i+1 < len(p.meta); i += 2 {
		m.Meta().Add(p.meta[i], p.meta[i+1])
	}
	return m
}

func (p sample) String() string {
	return fmt.Sprintf("%.300s, body of %d bytes %.40q", p.message(), len(p.body), p.body)
}

// pack returns the frame of p, packed by a new value of the format.
func (s *suite) pack(p sample) ([]byte, error) {
	m := p.message()
	if m.Err() != nil {
		return nil, m.Err()
	}
	frame, err := s.newProto().Pack(nil, m)
	if err != nil {
		return nil, fmt.Errorf("pack of %v: %w", p, err)
	}
	if len(frame) == 0 {
		return nil, fmt.Errorf("pack of %v gave no bytes", p)
	}
	return frame, nil
}

// frames packs the first n samples one after another and returns the length of
// each frame.
func (s *suite) frames(n int) (stream []byte, lengths []int, err error) {
	for i := range n {
		frame, err := s.pack(s.nth(i))
		if err != nil {
			return nil, nil, err
		}
		stream, lengths = append(stream, frame...), append(lengths, len(frame))
	}
	return stream, lengths, nil
}

// unpack reads one message of b with a new value of the format.
func (s *suite) unpack(b []byte, limit int) (*message.Message, error) {
	m := new(message.Message)
	return m, s.newProto().Unpack(bufio.NewReader(bytes.NewReader(b)), m, limit)
}

// same compares what was read with what was sent.
func (s *suite) same(got *message.Message, p sample) error {
	want := p.message()
	want.SetRaw(p.body)
	if s.Normalize != nil {
		s.Normalize(want)
		s.Normalize(got)
	}
	var errs []error
	differ := func(what string, g, w any) {
		if g, w := fmt.Sprint(g), fmt.Sprint(w); g != w {
			errs = append(errs, fmt.Errorf("%s is %.300q, want %.300q", what, g, w))
		}
	}
	differ("type", got.Mtype(), want.Mtype())
	differ("sequence number", got.Seq(), want.Seq())
	differ("service method", got.ServiceMethod(), want.ServiceMethod())
	differ("status", statusText(got.Status()), statusText(want.Status()))
	differ("metadata", metaText(got.Meta()), metaText(want.Meta()))
	differ("body codec", got.BodyCodec(), want.BodyCodec())
	differ("filters", got.XferPipe().IDs(), want.XferPipe().IDs())
	if !bytes.Equal(got.Raw(), want.Raw()) {
		errs = append(errs, fmt.Errorf("body is %d bytes %.300q, want %d bytes %.300q",
			len(got.Raw()), got.Raw(), len(want.Raw()), want.Raw()))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%v: %w", p, err)
	}
	return nil
}

func statusText(st *message.Status) string { return string(st.AppendQuery(nil)) }

// metaText returns m in parsed form, so that different encodings of the same
// entries are equal.
func metaText(m *message.Meta) string {
	var b []byte
	for k, v := range m.All {
		b = fmt.Appendf(b, "%q=%q ", k, v)
	}
	return string(b)
}

// roundTrip packs p, reads it back and compares.
func (s *suite) roundTrip(p sample) error {
	frame, err := s.pack(p)
	if err != nil {
		return err
	}
	// A buffer larger than the frame, a smaller one, and the smallest that a
	// format may count on.
	for _, size := range []int{64 << 10, 4 << 10} {
		m := new(message.Message)
		r := bufio.NewReaderSize(bytes.NewReader(frame), size)
		f := s.newProto()
		if err := f.Unpack(r, m, limit); err != nil {
			return fmt.Errorf("unpack of %v: %w", p, err)
		}
		if err := s.same(m, p); err != nil {
			return err
		}
		if err := f.Unpack(r, new(message.Message), limit); err != io.EOF {
			return fmt.Errorf("%v: behind the message the error is %v, want io.EOF", p, err)
		}
	}
	return nil
}
