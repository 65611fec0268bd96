package socket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A broken proto panics, as one that a user wrote may.
type brokenProto struct{ lengthProto }

func (brokenProto) Pack([]byte, *message.Message) ([]byte, error) { panic("pack " + secret) }

func (brokenProto) Unpack(*bufio.Reader, *message.Message, int) error { panic(io.ErrNoProgress) }

func (brokenProto) PackHead([]byte, *message.Message, int) ([]byte, bool) { panic("pack " + secret) }

const secret = "internals"

func TestProtocolPanicsAreErrors(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	s.SetProto(brokenProto{})
	var pe *PackError
	var panicked *message.PanicError
	if err := s.Send(call(1, nil), ByPolicy, FlushInline); !errors.As(err, &pe) || !errors.As(err, &panicked) || panicked.Value != "pack "+secret {
		t.Errorf("Pack panicked: %v", err)
	}
	panicked = nil
	if err := s.Send(call(1, make([]byte, largeBody)), ByPolicy, FlushInline); !errors.As(err, &panicked) || panicked.Value != "pack "+secret {
		t.Errorf("PackHead panicked: %v", err)
	}
	if _, err := s.Pack(call(1, nil)); !errors.As(err, &panicked) {
		t.Errorf("Pack panicked: %v", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("the connection is dead: %v; only the message is", err)
	}
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var m message.Message
	panicked = nil
	if err := s.Read(&m); !errors.As(err, &panicked) || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Unpack panicked: %v", err)
	}
	if !bytes.Contains(panicked.Stack, []byte("brokenProto")) {
		t.Errorf("the stack does not show the protocol:\n%s", panicked.Stack)
	}
	if _, ok := s.Proto().(brokenProto); !ok {
		t.Errorf("Proto() is %T", s.Proto())
	}
	_ = s.Close()
}

// What can't be packed leaves no byte on the wire.
func TestUnpackableMessageWritesNothing(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	var pe *PackError
	noCodec := message.New(message.WithBody(struct{}{}), message.WithBodyCodec(250))
	if err := s.Send(noCodec, ByPolicy, FlushInline); !errors.As(err, &pe) || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("a body without codec: %v", err)
	}
	noFilter := message.New(message.WithXferPipe(251))
	if err := s.Send(noFilter, ByPolicy, FlushInline); !errors.Is(err, noFilter.Err()) || noFilter.Err() == nil {
		t.Errorf("an unknown filter: %v", err)
	}
	m := call(3, []byte("after"))
	if err := s.Send(m, ByPolicy, FlushInline); err != nil {
		t.Fatal(err)
	}
	if m.Size() != lengthHead+5 {
		t.Errorf("size %d", m.Size())
	}
	_ = s.Close()
	if seqs := frames(t, collect(b)()); len(seqs) != 1 || seqs[0] != 3 {
		t.Errorf("messages %v arrived", seqs)
	}
	if st := s.Stats(); st.MessagesOut != 1 || st.BytesOut != lengthHead+5 {
		t.Errorf("stats %+v", st)
	}
}

func TestControlFD(t *testing.T) {
	for _, k := range kinds {
		a, _ := k.pair(t)
		s := newSocket(a, Config{})
		called := false
		err := s.ControlFD(func(uintptr) { called = true })
		switch k.name {
		case "pipe", "wrapped": // nothing to unwrap them with
			if !errors.Is(err, os.ErrInvalid) || called || !strings.Contains(err.Error(), a.LocalAddr().Network()) {
				t.Errorf("%s: called %v, error %v", k.name, called, err)
			}
		default:
			if err != nil || !called {
				t.Errorf("%s: called %v, error %v", k.name, called, err)
			}
		}
		_ = s.Close()
		if err := s.ControlFD(func(uintptr) { t.Errorf("%s: called after Close", k.name) }); err == nil {
			t.Errorf("%s: no error after Close", k.name)
		}
		if s.Conn() != a {
			t.Errorf("%s: Conn returned another connection", k.name)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	c := Config{}.Complete()
	if c.QueueLimit != DefaultQueueLimit || c.ReadLimit != DefaultReadLimit || c.WriteTimeout != DefaultWriteTimeout || c.Policy != Block {
		t.Errorf("zero config became %+v", c)
	}
	own := Config{QueueLimit: 1, ReadLimit: 2, WriteTimeout: -1, Policy: DropOld}
	if c := own.Complete(); c.QueueLimit != 1 || c.ReadLimit != 2 || c.WriteTimeout != -1 || c.Policy != DropOld {
		t.Errorf("%+v became %+v", own, c)
	}
}

// discard reads from conn without allocating until it ends.
func discard(conn net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	a, b := socketPair(t)
	go discard(b)
	s := newSocket(a, Config{})
	m := call(1, []byte("a small message"))
	if n := testing.AllocsPerRun(1000, func() {
		if err := s.Send(m, ByPolicy, FlushInline); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a Write allocates %v times", n)
	}
	_ = s.Close()
}

func TestReadAllocatesNothing(t *testing.T) {
	a, b := socketPair(t)
	s := newSocket(b, Config{})
	frame := frameOf(t, call(1, []byte("a small message")))
	var m message.Message
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := a.Write(frame); err != nil {
			t.Error(err)
		}
		m.Reset()
		if err := s.Read(&m); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a Read allocates %v times", n)
	}
	_ = s.Close()
}

func BenchmarkWrite(b *testing.B) {
	conn, other := socketPair(b)
	go discard(other)
	s := newSocket(conn, Config{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		m := call(1, make([]byte, 100))
		for pb.Next() {
			if err := s.Send(m, ByPolicy, FlushYield); err != nil {
				b.Error(err)
			}
		}
	})
	_ = s.Close()
}

func BenchmarkRead(b *testing.B) {
	conn, other := socketPair(b)
	frame, err := lengthProto{}.Pack(nil, call(1, make([]byte, 100)))
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]byte, 0, 100*len(frame))
	for range 100 {
		batch = append(batch, frame...)
	}
	go func() {
		for {
			if _, err := other.Write(batch); err != nil {
				return
			}
		}
	}()
	s := newSocket(conn, Config{})
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	var m message.Message
	for b.Loop() {
		m.Reset()
		if err := s.Read(&m); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Close()
}

// Read refuses messages above the smaller of its two limits.
func TestLimitRead(t *testing.T) {
	for _, c := range []struct {
		limit, size int
		want        error
	}{
		{0, 1000, nil},
		{0, 1001, proto.ErrTooLarge},
		{500, 500, nil},
		{500, 501, proto.ErrTooLarge},
		{2000, 1001, proto.ErrTooLarge},
		{-1, 1000, nil},
	} {
		a, b := net.Pipe()
		r := newSocket(a, Config{ReadLimit: 1000})
		frame := frameOf(t, call(1, make([]byte, c.size)))
		go func() { _, _ = b.Write(frame) }() // not all of it if it is refused
		r.LimitRead(300)
		r.LimitRead(c.limit)
		if err := r.Read(new(message.Message)); !errors.Is(err, c.want) {
			t.Errorf("limit %d, %d bytes: %v", c.limit, c.size, err)
		}
		_, _ = r.Close(), b.Close()
	}
}

// The storage that a message may get before its bytes have come is as long as the
// message before.
func TestReadEarnsStorage(t *testing.T) {
	a, b := net.Pipe()
	r := newSocket(a, Config{})
	defer func() { _, _ = r.Close(), b.Close() }()
	sizes := []int{1000, 100_000, 10, 500}
	frames := make([][]byte, len(sizes))
	for i, n := range sizes {
		frames[i] = frameOf(t, call(1, make([]byte, n)))
	}
	go func() {
		for _, f := range frames {
			_, _ = b.Write(f) // an error makes Read fail
		}
	}()
	want := 0
	for i, f := range frames {
		var m message.Message
		if err := r.Read(&m); err != nil {
			t.Fatal(err)
		}
		if got := m.EarnedStorage(); got != want {
			t.Errorf("message %d has earned %d bytes, want %d", i, got, want)
		}
		want = len(f)
	}
}

// noRoom is a [message.DecodeRoom] without room.
type noRoom struct{}

func (noRoom) TryTake(int) bool { return false }
func (noRoom) Take(int) error   { return errBroken }
func (noRoom) Give(int)         {}

// A message that was read is decoded within the limits of the socket.
func TestReadPassesItsLimitsOn(t *testing.T) {
	text := strings.Repeat("x", 2*message.FreeDecode)
	array := "[" + strings.Repeat("[],", 60_000) + "[]]" // decodes to more than 8 MiB
	var notAccepted *codec.NotAcceptedError
	for _, c := range []struct {
		name string
		cfg  Config
		data string
		body any
		want func(error) bool
	}{
		{"without limits", Config{}, `"` + text + `"`, new(string), func(err error) bool { return err == nil }},
		{"codecs", Config{Codecs: codec.NewSet('p')}, "1", new(int), func(err error) bool { return errors.As(err, &notAccepted) }},
		{"room", Config{DecodeRoom: noRoom{}}, `"` + text + `"`, new(string), func(err error) bool { return errors.Is(err, errBroken) }},
		{"no small read limit", Config{}, array, new([][16]int64), func(err error) bool { return err == nil }},
		{"read limit", Config{ReadLimit: 1 << 20}, array, new([][16]int64), func(err error) bool { return errors.Is(err, codec.ErrTooLarge) }},
	} {
		a, b := net.Pipe()
		r := newSocket(a, c.cfg)
		frame := frameOf(t, call(1, []byte(c.data)))
		go func() { _, _ = b.Write(frame) }() // the test ends if it fails
		m := message.New(message.WithBody(c.body), message.WithBodyCodec('j'))
		if err := r.Read(m); err != nil {
			t.Fatal(err)
		}
		if err := m.UnmarshalBody(m.Raw()); !c.want(err) {
			t.Errorf("%s: %v", c.name, err)
		}
		_, _ = r.Close(), b.Close()
	}
}

// How Send queues each kind of message.
func TestSendByKind(t *testing.T) {
	s := new(Socket)
	s.proto = lengthProto{}
	s.out.init(nil, fullKernel{}, Config{QueueLimit: 4000, Policy: DropOld}.Complete())
	s.out.state = writing // somebody else leads
	send := func(m *message.Message) error { return s.Send(m, NoWait, FlushLater) }
	first, second := send(msg(message.TypeStreamData, 1, make([]byte, 900))), send(msg(message.TypeStreamFull, 2, make([]byte, 100)))
	if first != nil || !errors.Is(second, ErrQueueFull) || s.out.queue.stream != lengthHead+900 {
		t.Errorf("messages of streams: %v, then %v; want no more than a quarter of the queue", first, second)
	}
	if err := errors.Join(send(call(3, make([]byte, 100))), send(push(4, nil))); err != nil {
		t.Errorf("a call and a push: %v", err)
	}
	var got []chunkKind
	for c := s.out.queue.take(); c != nil; c = c.next {
		got = append(got, c.kind)
	}
	if err := send(push(5, make([]byte, ownFrame))); err != nil {
		t.Fatal(err)
	}
	got = append(got, s.out.queue.head.kind)
	if !slices.Equal(got, []chunkKind{shared, droppable, droppable}) {
		t.Errorf("the chunks are of kinds %v; under DropOld pushes of any size can be dropped", got)
	}
	s.out.queue, s.out.state = queue{}, idle
	s.Inform([]byte("x"))
	if s.out.queue.n != 1 || s.out.writes > 0 {
		t.Errorf("after Inform %d bytes are queued, %d writes", s.out.queue.n, s.out.writes)
	}
}

// A queue keeps nothing of a message, whose storage the next message uses, but the
// frame of a push that was packed for many sockets.
func TestWhatAQueueKeeps(t *testing.T) {
	for _, policy := range []Policy{Block, DropNew, DropOld, Disconnect} {
		s := new(Socket)
		s.proto = lengthProto{}
		s.out.init(nil, fullKernel{}, Config{Policy: policy}.Complete())
		s.out.state = writing // somebody else leads
		m := push(1, []byte("first"))
		first := frameOf(t, m)
		if err := s.Send(m, NoWait, FlushLater); err != nil {
			t.Fatal(err)
		}
		clear(m.Storage(len(first))) // as the next message would
		if got := content(&s.out.queue); !bytes.Equal(got, first) {
			t.Errorf("%s: %q is queued, want %q", policy, got, first)
		}
		s.out.queue = queue{}
		if err := s.SendFrame(t.Context(), first, NoWait, FlushAsync); err != nil {
			t.Fatal(err)
		}
		c := s.out.queue.head
		kept := c.b
		if c.kind == references {
			kept = c.frames[0]
		}
		if &kept[0] != &first[0] {
			t.Errorf("%s: the frame for many sockets is copied", policy)
		}
	}
}

func TestFlushed(t *testing.T) {
	for _, c := range []struct {
		name   string
		state  writerState
		queued int
		err    error
		want   bool
	}{
		{"nothing to do", idle, 0, nil, true},
		{"being written", writing, 0, nil, false},
		{"queued", idle, 1, nil, false},
		{"nothing can be sent", writing, 1, errBroken, true},
	} {
		s := new(Socket)
		s.out.state, s.out.err = c.state, c.err
		if c.queued > 0 {
			s.out.queue.add(make([]byte, c.queued))
		}
		if got := s.Flushed(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestReadOnWithoutAMessage(t *testing.T) {
	if err := new(Socket).ReadOn(new(message.Message)); err != net.ErrClosed {
		t.Errorf("%v, want %v", err, net.ErrClosed)
	}
}
