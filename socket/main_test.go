package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

func TestMain(m *testing.M) { wait.Main(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// lengthProto is the simplest wire format: the length of what follows, type,
// sequence number, body. With it a test knows every byte of the wire.
type lengthProto struct{}

const lengthHead = 4 + 1 + 4 // bytes

func (lengthProto) Version() (byte, string) { return 200, "length" }

func (lengthProto) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, m.Mtype())
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.Seq()))
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

func (lengthProto) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := proto.PeekHead(r, lengthHead)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head)) - lengthHead + 4
	if n < 0 {
		return proto.ErrMalformed
	}
	if n > limit {
		return proto.ErrTooLarge
	}
	m.SetMtype(head[4])
	m.SetSeq(int32(binary.BigEndian.Uint32(head[5:])))
	if _, err := r.Discard(lengthHead); err != nil {
		return err
	}
	b, own, err := proto.ReadFrame(r, m, n)
	if err != nil {
		return err
	}
	if !own {
		b = m.Store(b)
	}
	m.SetRaw(b)
	m.SetSize(uint32(lengthHead + n))
	return nil
}

// msg returns a message to send.
func msg(mtype byte, seq int, body []byte) *message.Message {
	m := message.New(message.WithBody(body))
	m.SetMtype(mtype)
	m.SetSeq(int32(seq))
	return m
}

func push(seq int, body []byte) *message.Message { return msg(message.TypePush, seq, body) }

func call(seq int, body []byte) *message.Message { return msg(message.TypeCall, seq, body) }

// frameOf returns what m is on the wire.
func frameOf(t *testing.T, m *message.Message) []byte {
	t.Helper()
	b, err := lengthProto{}.Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frames takes a stream apart. It fails the test if a frame is cut.
func frames(t *testing.T, stream []byte) (seqs []int) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(stream))
	for {
		var m message.Message
		err := lengthProto{}.Unpack(r, &m, 1<<30)
		if err == io.EOF {
			return seqs
		}
		if err != nil {
			t.Fatalf("after %d frames the stream is broken: %v", len(seqs), err)
		}
		seqs = append(seqs, int(m.Seq()))
	}
}

// pair returns both ends of a real connection, with small kernel buffers so
// that it is soon full. They are closed when the test ends.
func pair(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	addr, o := "127.0.0.1:0", &Options{ReadBuffer: 128 << 10, WriteBuffer: 128 << 10} // less is slow: loopback has packets of 64 KiB
	if network == "unix" || network == "unixpacket" {
		dir, err := os.MkdirTemp("", "s") // short: the path has 107 bytes at most
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		addr, o = dir+"/s", &Options{ReadBuffer: 8 << 10, WriteBuffer: 8 << 10}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lis, err := Stream{}.Listen(ctx, network, addr, o)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := lis.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	a, err = Stream{}.Dial(ctx, network, lis.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	if b = <-accepted; b == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// wrapped hides what a connection is, as a user's own connection does, so that
// it is written and read on the plain path.
type wrapped struct{ net.Conn }

// kinds are the connections whose code paths differ.
var kinds = []struct {
	name string
	pair func(testing.TB) (a, b net.Conn)
}{
	{"tcp", func(t testing.TB) (a, b net.Conn) { return pair(t, "tcp") }},
	{"unix", func(t testing.TB) (a, b net.Conn) { return pair(t, "unix") }},
	{"unixpacket", func(t testing.TB) (a, b net.Conn) { return pair(t, "unixpacket") }},
	{"wrapped", func(t testing.TB) (net.Conn, net.Conn) {
		a, b := pair(t, "tcp")
		return wrapped{a}, wrapped{b}
	}},
	{"pipe", func(t testing.TB) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
		return a, b
	}},
	{"tls", tlsPair},
}

func newSocket(conn net.Conn, c Config) *Socket { return New(conn, lengthProto{}, c.Complete()) }

// soon returns a context for what must not take long.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// within fails the test if done is not closed soon.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: still waiting after %v", what, patience)
	}
}

// eventually polls until ok returns true, for what no channel announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not yet after %v", what, patience)
		}
	}
}

// collect reads everything from conn in the background.
func collect(conn net.Conn) (all func() []byte) {
	var b []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, _ = io.ReadAll(conn) // however the connection ends
	}()
	return func() []byte { <-done; return b }
}

// fill sends calls until the kernel of a Unix socket takes no more, and returns
// once the writer waits for room there, so that the queue can only grow.
func fill(t *testing.T, s *Socket, body []byte) (n int) {
	t.Helper()
	for n < 100_000 {
		before := s.Stats().Writes
		if err := s.Send(call(n, body), ByPolicy, FlushInline); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		n++
		switch st := s.Stats(); {
		case st.Queued == 0:
		case st.Writes == before: // it joined the queue behind one that waits
			return n
		default: // it was put back, and a goroutine that may block will take it
			eventually(t, "somebody else leads", func() bool { return s.Stats().Writes == before+2 })
			return n
		}
	}
	t.Fatal("the kernel takes everything")
	return 0
}

// sendInline sends m with a flush by the caller, which yields first if yield is
// true.
func sendInline(s *Socket, m *message.Message, yield bool) error {
	if yield {
		return s.Send(m, ByPolicy, FlushYield)
	}
	return s.Send(m, ByPolicy, FlushInline)
}

// abort ends a socket at once, as an error does.
func abort(s *Socket) error {
	s.out.fail(net.ErrClosed)
	return nil
}
