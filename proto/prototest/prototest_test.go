package prototest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
)

func TestMain(m *testing.M) {
	gzip.Reg('g', "gzip", 5)
	md5.Reg('m', "md5")
	wait.Main(m)
}

// A broken format is raw with a fault.
type broken struct {
	proto.Proto
	version func() (byte, string)
	pack    func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error)
	unpack  func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error
}

func (b *broken) Version() (byte, string) {
	if b.version != nil {
		return b.version()
	}
	return b.Proto.Version()
}

func (b *broken) Pack(dst []byte, m *message.Message) ([]byte, error) {
	if b.pack != nil {
		return b.pack(b.Proto, dst, m)
	}
	return b.Proto.Pack(dst, m)
}

func (b *broken) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	if b.unpack != nil {
		return b.unpack(b.Proto, r, m, limit)
	}
	return b.Proto.Unpack(r, m, limit)
}

// after returns a format whose Unpack changes the message afterwards.
func after(change func(m *message.Message)) broken {
	return broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
		err := f.Unpack(r, m, limit)
		if err == nil {
			change(m)
		}
		return err
	}}
}

// failing returns a format whose Unpack changes its error.
func failing(change func(err error, m *message.Message) error) broken {
	return broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
		return change(f.Unpack(r, m, limit), m)
	}}
}

// TestFaultsAreFound breaks raw in one way after another. The check for that fault
// must fail.
func TestFaultsAreFound(t *testing.T) {
	var versions atomic.Int32
	var shared []byte
	for _, c := range []struct {
		name  string
		check string // that has to fail
		fault broken
	}{
		{"the name is empty", "identity", broken{version: func() (byte, string) { return 1, "" }}},
		{"the version changes", "identity", broken{version: func() (byte, string) { return byte(versions.Add(1)), "x" }}},
		{"loses the type", "header", after(func(m *message.Message) { m.SetMtype(1) })},
		{"loses the sign of the sequence number", "header", after(func(m *message.Message) { m.SetSeq(m.Seq() & 0x7fffffff) })},
		{"lower-cases the method", "header", after(func(m *message.Message) { m.SetServiceMethod(strings.ToLower(m.ServiceMethod())) })},
		{"loses the status", "header", after(func(m *message.Message) { m.SetStatus(nil) })},
		{"loses the cause", "header", after(func(m *message.Message) { m.SetStatus(m.Status().Copy(nil)) })},
		{"loses metadata", "header", after(func(m *message.Message) { m.Meta().Del("k") })},
		{"swaps metadata", "header", after(func(m *message.Message) {
			first := m.Meta().Get("k")
			m.Meta().Del("k")
			m.Meta().Add("k", first)
		})},
		{"loses the codec", "header", after(func(m *message.Message) { m.SetBodyCodec('j') })},
		{"trims the body", "body", after(func(m *message.Message) { m.SetRaw(bytes.TrimRight(m.Raw(), "\\")) })},
		{"bodies are UTF-8", "body", after(func(m *message.Message) { m.SetRaw(bytes.ToValidUTF8(m.Raw(), []byte("?"))) })},
		{"no body above 64 KiB", "body", after(func(m *message.Message) { m.SetRaw(m.Raw()[:min(len(m.Raw()), 1<<16)]) })},
		{"filters are lost", "filters", after(func(m *message.Message) { m.XferPipe().Reset() })},
		{"the size is that of the body", "size", after(func(m *message.Message) { m.SetSize(uint32(len(m.Raw()))) })},
		{"no limit", "limit", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, _ int) error {
			return f.Unpack(r, m, 1<<30)
		}}},
		{"limit off by one", "limit", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			return f.Unpack(r, m, limit-1)
		}}},
		{"limit off by minus one", "limit", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			return f.Unpack(r, m, limit+1)
		}}},
		{"above the limit is malformed", "limit", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, proto.ErrTooLarge) {
				return proto.ErrMalformed
			}
			return err
		})},
		{"wrong owner", "limit", failing(func(err error, m *message.Message) error {
			if errors.Is(err, proto.ErrTooLarge) {
				m.SetMtype(message.TypeCall)
				m.SetSeq(m.Seq() + 1)
			}
			return err
		})},
		{"no limit while inflating", "inflated limit", broken{unpack: unlimitedFilters}},
		{"reads ahead", "stream", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			return f.Unpack(bufio.NewReaderSize(r, 100<<10), m, limit)
		}}},
		{"takes what a read gives", "slow reader", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			if _, err := r.Peek(1); err != nil {
				return err
			}
			b, _ := r.Peek(r.Buffered())
			in := bytes.NewReader(b)
			err := f.Unpack(bufio.NewReader(in), m, limit)
			if err == nil {
				_, err = r.Discard(int(m.Size()))
			}
			return err
		}}},
		{"hides the reader's error", "reader's error", failing(func(err error, _ *message.Message) error {
			if err != nil && err != io.EOF {
				return proto.ErrMalformed
			}
			return err
		})},
		{"a cut message is a clean end", "truncated", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return io.EOF
			}
			return err
		})},
		{"a cut message is a message", "truncated", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		})},
		{"an error of its own for a cut message", "truncated", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return errors.New("cut")
			}
			return err
		})},
		{"panics on what it can't read", "garbage", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, proto.ErrMalformed) {
				panic(err)
			}
			return err
		})},
		{"does not get on", "garbage", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, proto.ErrMalformed) {
				return nil
			}
			return err
		})},
		{"reports an end where there is none", "garbage", failing(func(err error, _ *message.Message) error {
			if errors.Is(err, proto.ErrMalformed) {
				return io.EOF
			}
			return err
		})},
		{"allocates what is announced", "announced", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			if b, err := r.Peek(4); err == nil {
				shared = make([]byte, min(int(binary.BigEndian.Uint32(b)), limit, 64<<20))
			}
			return f.Unpack(r, m, limit)
		}}},
		{"the body is in the reader's buffer", "ownership", broken{unpack: func(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
			head, err := r.Peek(4)
			if err != nil {
				return err
			}
			b, err := r.Peek(min(int(binary.BigEndian.Uint32(head)), r.Size()))
			if err := f.Unpack(r, m, limit); err != nil {
				return err
			}
			if err == nil && m.XferPipe().Len() == 0 && len(b) == int(m.Size()) {
				m.SetRaw(b[len(b)-len(m.Raw()):])
			}
			return nil
		}}},
		{"messages share storage", "reuse", after(func(m *message.Message) {
			shared = append(shared[:0], m.Raw()...)
			m.SetRaw(shared)
		})},
		{"messages keep what they had", "reuse", keepsMeta()},
		{"writes over what is there", "append", broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
			return f.Pack(dst[:0], m)
		}}},
		{"breaks what it appends to a buffer", "append", broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
			behind := len(dst) > 0
			dst, err := f.Pack(dst, m)
			if behind && err == nil {
				dst[len(dst)-1] ^= 1
			}
			return dst, err
		}}},
		{"packs a value that can't be encoded", "failed pack", broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
			if out, err := f.Pack(dst, m); err == nil {
				return out, nil
			}
			m.SetBody(nil)
			return f.Pack(dst, m)
		}}},
		{"fails for good", "failed pack", failsForGood()},
		{"panics with the codec", "failed pack", broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
			out, err := f.Pack(dst, m)
			if err != nil {
				panic(err)
			}
			return out, nil
		}}},
		{"packs by turns", "concurrent", packsByTurns()},
	} {
		t.Run(c.name, func(t *testing.T) {
			fault := c.fault
			s := newSuite(func() proto.Proto {
				f := fault
				f.Proto = rawproto.New()
				return &f
			}, Options{Filters: []byte("gm")})
			err := guard(func() error { return find(t, c.check)(s) })
			if err == nil {
				t.Errorf("the check %q finds nothing", c.check)
			}
		})
	}
	_ = shared // keeps the compiler from removing allocations
}

func find(t *testing.T, name string) func(*suite) error {
	t.Helper()
	for _, c := range checks {
		if c.name == name {
			return c.check
		}
	}
	t.Fatalf("no check %q", name)
	return nil
}

// unlimitedFilters undoes filters with its own limit.
func unlimitedFilters(f proto.Proto, r *bufio.Reader, m *message.Message, limit int) error {
	head, err := r.Peek(4)
	if err == nil && int(binary.BigEndian.Uint32(head)) <= limit {
		limit = 1 << 30
	}
	return f.Unpack(r, m, limit)
}

// keepsMeta adds the metadata of the previous message.
func keepsMeta() broken {
	var last string
	return after(func(m *message.Message) {
		now := m.Meta().String()
		m.Meta().Parse(now + "&" + last)
		last = now
	})
}

func failsForGood() broken {
	var failed error
	return broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
		if failed != nil {
			return dst, failed
		}
		dst, failed = f.Pack(dst, m)
		return dst, failed
	}}
}

// packsByTurns packs into shared storage and returns it, so that goroutines get
// the frames of others. The hand-over makes the fault certain.
func packsByTurns() broken {
	turn := make(chan []byte, 1)
	return broken{pack: func(f proto.Proto, dst []byte, m *message.Message) ([]byte, error) {
		out, err := f.Pack(nil, m)
		if err != nil {
			return dst, err
		}
		select {
		case turn <- out:
			return append(dst, out...), nil
		case other := <-turn:
			return append(dst, other...), nil
		}
	}}
}

// TestRunNormalizes runs the suite on a format that lower-cases methods and
// carries few types, with options that say so.
func TestRunNormalizes(t *testing.T) {
	lower := func(m *message.Message) { m.SetServiceMethod(strings.ToLower(m.ServiceMethod())) }
	Run(t, func() proto.Proto {
		f := after(lower)
		f.Proto = rawproto.New()
		return &f
	}, Options{
		Types:     []byte{message.TypeCall, message.TypeReply},
		Methods:   []string{"/Math/Add", "/b"},
		Codecs:    []byte{'j'},
		Seqs:      []int32{7},
		Statuses:  []*message.Status{nil},
		Meta:      [][]string{{"k", "v"}},
		Bodies:    [][]byte{[]byte("one"), []byte("two")},
		Hostile:   [][]byte{{0x7f, 0xff, 0xff, 0xff}},
		Normalize: lower,
	})
}
