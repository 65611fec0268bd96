package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/message"
)

// count sends the numbers below n, which it receives.
func count(_ CallCtx, s *Stream) *message.Status {
	var n int
	if err := s.Recv(&n); err != nil {
		return message.FromError(err)
	}
	for i := range n {
		if err := s.Send(i); err != nil {
			return message.FromError(err)
		}
	}
	if n < 0 {
		return message.NewStatus(1234, "a negative number")
	}
	return nil
}

func TestAllOfATypedStream(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		leave int // the loop is left after so many
		want  []int
		code  int32 // of the last pair
		end   int32 // of the stream
	}{
		{"until the end", 4, -1, []int{0, 1, 2, 3}, 0, 0},
		{"none", 0, -1, nil, 0, 0},
		{"a failed handler", -1, -1, nil, 1234, 1234},
		{"left early", 100, 2, []int{0, 1}, 0, message.CodeCanceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			duets(t, routes{stream: streamHandler(count)}, func(d *duet) {
				s, err := OpenStream[int, int](d.Context(), d.here, "/s")
				if err != nil {
					d.Fatal(err)
				}
				if err := s.Send(&c.n); err != nil {
					d.Fatal(err)
				}
				var got []int
				for m, err := range s.All() {
					if err != nil {
						if m != nil || code(err) != c.code {
							d.Errorf("got %v, %v", m, err)
						}
						continue // there is no next one
					}
					got = append(got, *m)
					if len(got) == c.leave {
						break
					}
				}
				if !slices.Equal(got, c.want) {
					d.Errorf("got %v, want %v", got, c.want)
				}
				raw := s.Raw().(*Stream)
				if c.leave > 0 { // the end may come before the loop has taken what arrived
					if st := raw.Status(); st.Code() != c.end && !st.OK() {
						d.Errorf("the stream ended with %v", st)
					}
				} else if st := raw.Status(); st.Code() != c.end {
					d.Errorf("the stream ended with %v, want code %d", st, c.end)
				}
			})
		})
	}
}

func TestOpenStreamReturnsAnError(t *testing.T) {
	duets(t, routes{}, func(d *duet) {
		_ = d.here.Close()
		s, err := OpenStream[int, int](d.Context(), d.here, "/s")
		if s != nil || code(err) != message.CodeConnClosed {
			d.Errorf("got %v, %v", s, err)
		}
	})
}

func TestOneAnswerForManyMessages(t *testing.T) {
	sum := streamHandler(func(_ CallCtx, raw *Stream) *message.Status {
		s := NewTypedStream[int, int](raw)
		total := 0
		for n, err := range s.All() {
			if err != nil {
				return message.FromError(err)
			}
			total += *n
		}
		if total == 0 {
			return nil // without an answer
		}
		return message.FromError(s.Send(&total))
	})
	duets(t, routes{stream: sum}, func(d *duet) {
		for _, c := range []struct {
			send []int
			want int
			code int32
		}{
			{[]int{1, 2, 3}, 6, 0},
			{nil, 0, message.CodeBadMessage},
		} {
			s, err := OpenStream[int, int](d.Context(), d.here, "/s")
			if err != nil {
				d.Fatal(err)
			}
			for _, n := range c.send {
				if err := s.Send(&n); err != nil {
					d.Error(err)
				}
			}
			got, err := s.CloseAndRecv()
			switch {
			case c.code != 0:
				if got != nil || code(err) != c.code {
					d.Errorf("%v: got %v, %v, want code %d", c.send, got, err, c.code)
				}
			case err != nil || *got != c.want:
				d.Errorf("%v: got %v, %v", c.send, got, err)
			}
			synctest.Wait()
			if n := d.here.Stats().Streams; n != 0 {
				d.Errorf("%d streams are left", n)
			}
		}
	})
}

// A fakeRaw is a stream without a session, as tests of users have them.
type fakeRaw struct {
	RawStream
	in  []any
	out []any
}

func (f *fakeRaw) SendContext(_ context.Context, v any) error {
	f.out = append(f.out, reflect.ValueOf(v).Elem().Interface())
	return nil
}

func (f *fakeRaw) RecvContext(_ context.Context, v any) error {
	if len(f.in) == 0 {
		return io.EOF
	}
	in, to := reflect.ValueOf(f.in[0]), reflect.ValueOf(v).Elem()
	f.in = f.in[1:]
	if to.Kind() == reflect.Struct { // only what the message has, as a codec does
		for i := range in.NumField() {
			if !in.Field(i).IsZero() {
				to.Field(i).Set(in.Field(i))
			}
		}
		return nil
	}
	to.Set(in)
	return nil
}

func (f *fakeRaw) CloseSend() error         { return io.EOF }
func (f *fakeRaw) Close() error             { return nil }
func (f *fakeRaw) Context() context.Context { return context.Background() }

func TestRecvIntoClearsWhatWasThere(t *testing.T) {
	type point struct{ X, Y int }
	s := NewTypedStream[point, point](&fakeRaw{in: []any{point{X: 1}, point{Y: 2}}})
	var p point
	for _, want := range []point{{X: 1}, {Y: 2}} {
		if err := s.RecvInto(&p); err != nil || p != want {
			t.Errorf("got %v, %v, want %v", p, err, want)
		}
	}
	if err := s.RecvInto(&p); err != io.EOF {
		t.Error(err)
	}
}

// Bytes go into the caller's buffer if the stream supports that; otherwise they
// are still received.
func TestRecvIntoOfBytes(t *testing.T) {
	s := NewTypedStream[[]byte, []byte](&fakeRaw{in: []any{[]byte("one"), []byte("two")}})
	b := make([]byte, 0, 10)
	for _, want := range []string{"one", "two"} {
		if err := s.RecvInto(&b); err != nil || string(b) != want {
			t.Errorf("got %q, %v, want %q", b, err, want)
		}
	}
	duets(t, routes{stream: streamHandler(func(_ CallCtx, s *Stream) *message.Status {
		return message.FromError(s.Send([]byte("three")))
	})}, func(d *duet) {
		s, err := OpenStream[[]byte, []byte](d.Context(), d.here, "/s")
		if err != nil {
			d.Fatal(err)
		}
		room := make([]byte, 0, 10)
		into := room
		if err := s.RecvInto(&into); err != nil || string(into) != "three" || &into[0] != &room[:1][0] {
			d.Errorf("got %q, %v", into, err)
		}
	})
}

// The handler of a stream may answer before the opener has said that it sends no
// more; CloseSend then has nothing to do.
func TestAnswerBeforeCloseSend(t *testing.T) {
	s := NewTypedStream[int, int](&fakeRaw{in: []any{7}})
	if got, err := s.CloseAndRecv(); err != nil || *got != 7 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestStreamTypes(t *testing.T) {
	for _, c := range []struct {
		typ     reflect.Type
		in, out reflect.Type // nil: it is not a stream
	}{
		{reflect.TypeFor[*TypedStream[int, string]](), reflect.TypeFor[int](), reflect.TypeFor[string]()},
		{reflect.TypeFor[*TypedStream[[]byte, struct{}]](), reflect.TypeFor[[]byte](), reflect.TypeFor[struct{}]()},
		{reflect.TypeFor[TypedStream[int, string]](), nil, nil},
		{reflect.TypeFor[**TypedStream[int, string]](), nil, nil},
		{reflect.TypeFor[*Stream](), nil, nil},
		{reflect.TypeFor[int](), nil, nil},
		{reflect.TypeFor[*int](), nil, nil},
	} {
		got, ok := StreamTypeOf(c.typ)
		if ok != (c.in != nil) || got.In != c.in || got.Out != c.out {
			t.Errorf("%v: %v, %v", c.typ, got, ok)
		}
		if !ok {
			continue
		}
		raw := new(fakeRaw)
		made := got.New(raw)
		if reflect.TypeOf(made) != c.typ {
			t.Errorf("made a %T of %v", made, c.typ)
		}
		if typed, ok := made.(*TypedStream[int, string]); ok {
			text := "hello"
			if err := typed.Send(&text); err != nil || !reflect.DeepEqual(raw.out, []any{"hello"}) {
				t.Errorf("sent %v, %v", raw.out, err)
			}
		}
	}
}

func TestTypedStreamTellsOfItsStream(t *testing.T) {
	duets(t, routes{stream: streamHandler(count)}, func(d *duet) {
		s, err := OpenStream[int, int](d.Context(), d.here, "/s", message.WithSetMeta("k", "v"))
		if err != nil {
			d.Fatal(err)
		}
		raw := s.Raw().(*Stream)
		if s.Context() != raw.Context() || s.Session() != raw.Session() || s.Draining() != raw.Draining() || s.Meta().Get("k") != "v" {
			d.Error("the typed stream tells something else than the one below")
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			d.Error(err)
		}
		if err := s.Context().Err(); err == nil {
			d.Error("it is open")
		}
		ctx, cancel := context.WithCancel(d.Context())
		cancel()
		if err := s.SendContext(ctx, new(int)); code(err) != message.CodeCanceled {
			d.Errorf("sending: %v", err)
		}
		if m, err := s.RecvContext(ctx); m != nil || code(err) != message.CodeCanceled {
			d.Errorf("receiving: %v, %v", m, err)
		}
	})
}

func ExampleTypedStream_All() {
	s := NewTypedStream[string, string](&fakeRaw{in: []any{"a", "b"}})
	for m, err := range s.All() {
		if err != nil {
			fmt.Println("it ended with", err)
			return
		}
		fmt.Println(*m)
	}
	// Output:
	// a
	// b
}
