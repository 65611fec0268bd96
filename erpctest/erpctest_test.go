package erpctest_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
)

func add(_ context.Context, n *[]int) (*int, error) {
	sum := 0
	for _, v := range *n {
		sum += v
	}
	return &sum, nil
}

func serveAdd(p erpc.Peer) { erpc.HandleCall(p, "/add", add) }

// The five lines of the package comment and of docs/testing.md.
func TestAdd(t *testing.T) {
	_, cli := erpctest.Pair(t, func(p erpc.Peer) { erpc.HandleCall(p, "/add", add) }, nil)
	if sum, err := erpc.CallValue[int](t.Context(), cli, "/add", []int{1, 2}); err != nil || sum != 3 {
		t.Errorf("sum %d, %v", sum, err)
	}
}

// Both ends of a pair call each other over every protocol, where the protocol
// lets a server call.
func TestPairOverEachProtocol(t *testing.T) {
	erpctest.NoLeaks(t)
	for name, f := range map[string]erpc.ProtoFunc{
		"default": nil,
		"raw":     rawproto.New,
		"json":    jsonproto.NewJSONProtoFunc(),
		"pb":      pbproto.NewPbProtoFunc(),
		"thrift":  thriftproto.NewBinaryProtoFunc(),
		"http":    httproto.NewHTTProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			srv, cli := erpctest.Config{Proto: f}.Pair(t, serveAdd, serveAdd)
			for side, s := range map[string]erpc.Session{"client": cli, "server": srv} {
				sum, err := erpc.CallValue[int](t.Context(), s, "/add", []int{1, 2, 3})
				if err != nil || sum != 6 {
					t.Errorf("call of the %s: %d, %v", side, sum, err)
				}
			}
		})
	}
}

// The faults of a connection happen to that connection, and a redial has its own.
func TestPairFaults(t *testing.T) {
	cut := func(n int) erpctest.Faults {
		if n == 1 {
			return erpctest.Faults{ToClient: erpctest.Fault{CutAt: 1}}
		}
		return erpctest.Faults{}
	}
	_, cli := erpctest.Config{Faults: cut, Client: erpc.PeerConfig{RedialTimes: -1}}.Pair(t, serveAdd, nil)
	erpctest.Eventually(t, "a call over the second connection", func() bool {
		sum, err := erpc.CallValue[int](t.Context(), cli, "/add", []int{1})
		return err == nil && sum == 1
	})
}

// A pair works in a bubble, where a connection that stalls costs no time.
func TestPairInBubbleStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // registered first: idle workers end
		stall := func(int) erpctest.Faults { return erpctest.Faults{ToClient: erpctest.Fault{StallAt: 1}} }
		_, cli := erpctest.Config{Faults: stall}.Pair(t, serveAdd, nil)
		start := time.Now()
		st := cli.Call("/add", []int{1}, nil, erpc.WithTimeout(time.Hour)).Status()
		if st.OK() || time.Since(start) != time.Hour {
			t.Errorf("call ended with %v after %v", st, time.Since(start))
		}
	})
}

// A recorder keeps pushes with and without a handler, and calls, as they were when
// they arrived.
func TestRecorderKeepsWhatArrives(t *testing.T) {
	var rec erpctest.Recorder
	srv, cli := erpctest.Pair(t, serveAdd, func(p erpc.Peer) {
		rec.Record(p)
		erpc.HandlePush(p, "/known", func(_ context.Context, s *string) error { *s = "changed"; return nil })
		serveAdd(p)
	})
	_ = cli
	if st := srv.Push("/known", "a", erpc.WithAddMeta("k", "v")); !st.OK() {
		t.Fatal(st)
	}
	got := rec.Next(t)
	var text string
	if err := got.Decode(&text); err != nil || text != "a" || !got.Push || got.Method != "/known" || got.Meta.Get("k") != "v" {
		t.Errorf("recorded %+v: %q, %v", got, text, err)
	}
	if st := srv.Push("/unknown", []int{7}); !st.OK() {
		t.Fatal(st)
	}
	got = rec.Next(t)
	var n []int
	if err := got.Decode(&n); err != nil || len(n) != 1 || n[0] != 7 {
		t.Errorf("recorded %+v: %v, %v", got, n, err)
	}
	if _, err := erpc.CallValue[int](t.Context(), srv, "/add", []int{1}); err != nil {
		t.Fatal(err)
	}
	if got := rec.Next(t); got.Push || got.Method != "/add" {
		t.Errorf("recorded %+v", got)
	}
	if n := len(rec.All()); n != 3 {
		t.Errorf("%d messages recorded", n)
	}
}

func TestFakeAnswers(t *testing.T) {
	var f erpctest.Fake
	erpctest.Answer(&f, "/add", add)
	erpctest.Answer(&f, "/fail", func(context.Context, *int) (*int, error) { return nil, erpc.NewStatus(1234, "no").Err() })
	if sum, err := erpc.CallValue[int](t.Context(), &f, "/add", []int{1, 2}, erpc.WithAddMeta("k", "v")); err != nil || sum != 3 {
		t.Errorf("call: %d, %v", sum, err)
	}
	for method, code := range map[string]int32{"/fail": 1234, "/other": erpc.CodeNotFound} {
		done := make(chan erpc.CallCmd, 1)
		if st := f.AsyncCall(method, 1, nil, done).Status(); st.Code() != code {
			t.Errorf("%s: %v, want code %d", method, st, code)
		}
		<-done
	}
	if st := f.Push("/note", "x"); !st.OK() {
		t.Error(st)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := erpc.CallValue[int](canceled, &f, "/add", nil); err == nil {
		t.Error("a call whose context has ended was answered")
	}
	sent := f.Sent()
	if len(sent) != 4 || sent[0].Meta.Get("k") != "v" || !sent[3].Push || sent[3].Arg != "x" {
		t.Errorf("sent %+v", sent)
	}
}

// double is a handler of streams.
func double(_ context.Context, s *erpc.Stream[int, int]) error {
	for n, err := range s.All() {
		if err != nil {
			return err
		}
		if *n < 0 {
			return erpc.NewStatus(1234, "negative").Err()
		}
		twice := *n * 2
		if err := s.Send(&twice); err != nil {
			return err
		}
	}
	return nil
}

func TestRunStreamEndsAsTheHandlerReturns(t *testing.T) {
	for name, c := range map[string]struct {
		send []int
		code int32 // 0: io.EOF
	}{"well": {send: []int{1, 2}}, "with a status": {send: []int{1, 2, -1}, code: 1234}} {
		t.Run(name, func(t *testing.T) {
			s := erpctest.RunStream(t, double)
			for _, n := range c.send {
				if err := s.Send(&n); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{2, 4} {
				if n, err := s.Recv(); err != nil || *n != want {
					t.Fatalf("received %v, %v; want %d", n, err, want)
				}
			}
			_, err := s.Recv()
			if c.code == 0 && err != io.EOF || c.code != 0 && erpc.StatusFromError(err).Code() != c.code {
				t.Errorf("the end is %v", err)
			}
		})
	}
}

// A sender waits for the other end, gives up with its context, and the stream
// stays whole; Close ends both ends.
func TestStreamPairHoldsTheSenderBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o, end := erpctest.StreamPair[int, string](t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		sent := 0
		var err error
		for ; err == nil; sent++ {
			err = o.SendContext(ctx, &sent)
		}
		if ctx.Err() == nil {
			t.Fatalf("the sender gave up early: %v", err)
		}
		for want := range sent - 1 {
			if n, err := h.Recv(); err != nil || *n != want {
				t.Fatalf("received %v, %v; want %d", n, err, want)
			}
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = h.Recv()
		var st *erpc.StatusError
		if !errors.As(err, &st) || h.Context().Err() == nil {
			t.Errorf("after Close the handler receives %v", err)
		}
		if h.CloseSend() == nil {
			t.Error("a handler may say that it sends no more")
		}
		end(nil) // the stream has ended before
		if _, err := o.Recv(); err == nil || err == io.EOF {
			t.Errorf("after Close the opener receives %v", err)
		}
	})
}
