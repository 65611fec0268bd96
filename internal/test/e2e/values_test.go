package e2e

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Case 27 of the catalogue.
func TestTooLongForTheFormat(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		long := strings.Repeat("x", 65_536)
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", kit.Add)
		erpc.HandleCall(server, "/status", func(context.Context, *int) (*int, error) {
			return nil, erpc.NewStatus(1001, "bad", long).Err()
		})
		erpc.HandleCall(server, "/meta", func(ctx context.Context, _ *int) (*int, error) {
			erpc.CallCtxFrom(ctx).SetMeta("long", long)
			return nil, nil
		})
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
		kit.Answers(t, s)
		before := s.Stats().BytesOut
		var st *erpc.Status
		for what, setting := range map[string]erpc.MessageSetting{
			"metadata":                              erpc.WithSetMeta("k", long),
			"status":                                erpc.WithStatus(erpc.NewStatus(1, long)),
			"metadata that escaping makes too long": erpc.WithSetMeta("k", strings.Repeat(" ", 30_000)),
		} {
			kit.Within(t, kit.Prompt, what, func() { st = s.Call("/add", &kit.Sum{}, nil, setting).Status() })
			kit.WantCode(t, what, st, erpc.CodeWriteFailed)
			if !strings.Contains(fmt.Sprint(st.Cause()), "65535") {
				t.Errorf("%s: the cause does not say what is wrong: %v", what, st)
			}
			kit.WantCode(t, what, s.Push("/add", &kit.Sum{}, setting), erpc.CodeWriteFailed)
		}
		kit.Within(t, kit.Prompt, "method", func() { st = s.Call("/"+strings.Repeat("m", 255), &kit.Sum{}, nil).Status() })
		kit.WantCode(t, "method", st, erpc.CodeWriteFailed)
		if after := s.Stats().BytesOut; after != before {
			t.Errorf("%d bytes were written", after-before)
		}
		for _, method := range []string{"/status", "/meta"} {
			kit.Within(t, kit.Prompt, method, func() { st = s.Call(method, 1, nil).Status() })
			kit.WantCode(t, "reply with too long a "+method[1:], st, erpc.CodeInternalServerError)
		}
		kit.Answers(t, s)
	})
}

// Kept has a field of every kind that a codec may leave pointing into a buffer.
type Kept struct {
	S string   `form:"s"`
	L []string `form:"l"`
}

func kept(i int) *Kept {
	return &Kept{S: fmt.Sprint("string ", i), L: []string{fmt.Sprint("first ", i), fmt.Sprint("second ", i)}}
}

// TestValuesStay keeps the values decoded from many messages, at both ends, and
// compares them after all have arrived. (Case 28.)
func TestValuesStay(t *testing.T) {
	const messages = 300
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		for _, id := range []byte{'j', 'f', 'x'} {
			server := on.Peer(t, erpc.PeerConfig{})
			var mu sync.Mutex
			var here []*Kept
			erpc.HandleCall(server, "/keep", func(_ context.Context, k *Kept) (*Kept, error) {
				mu.Lock()
				defer mu.Unlock()
				here = append(here, k)
				return kept(len(here) - 1), nil
			})
			s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
			var there []*Kept
			for i := range messages {
				got := new(Kept)
				kit.WantCode(t, "call", s.Call("/keep", kept(i), got, erpc.WithBodyCodec(id)).Status(), erpc.CodeOK)
				there = append(there, got)
			}
			for i := range messages {
				if want := kept(i); !reflect.DeepEqual(here[i], want) || !reflect.DeepEqual(there[i], want) {
					t.Fatalf("codec %c: value %d became %v here and %v there", id, i, here[i], there[i])
				}
			}
		}
		stays(t, on, 's', func(i int) string { return fmt.Sprint("plain ", i) })
		stays(t, on, 'j', func(i int) []byte { return fmt.Append(nil, "bytes ", i) })
	})
}

// stays is the test for one type of body.
func stays[T any](t *testing.T, on kit.Medium, id byte, value func(i int) T) {
	t.Helper()
	const messages = 300
	server := on.Peer(t, erpc.PeerConfig{})
	var here, there []*T
	var mu sync.Mutex
	erpc.HandleCall(server, "/keep", func(_ context.Context, v *T) (*T, error) {
		mu.Lock()
		defer mu.Unlock()
		here = append(here, v)
		return v, nil
	})
	s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
	for i := range messages {
		v, got := value(i), new(T)
		kit.WantCode(t, "call", s.Call("/keep", &v, got, erpc.WithBodyCodec(id)).Status(), erpc.CodeOK)
		there = append(there, got)
	}
	for i := range messages {
		if want := value(i); !reflect.DeepEqual(*here[i], want) || !reflect.DeepEqual(*there[i], want) {
			t.Fatalf("%T %d became %v here and %v there", want, i, *here[i], *there[i])
		}
	}
}

// TestUnknownBodyStays: values that a handler of unknown calls decodes by Bind are
// kept too; the raw bytes are valid only until it returns. (Case 28.)
func TestUnknownBodyStays(t *testing.T) {
	kit.NoLeaks(t)
	server := kit.TCP.Peer(t, erpc.PeerConfig{})
	var mu sync.Mutex
	var here []string
	server.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		var s string
		if _, err := ctx.Bind(&s); err != nil {
			return nil, erpc.NewStatus(1, "bind", err)
		}
		mu.Lock()
		defer mu.Unlock()
		here = append(here, s)
		return s, nil
	})
	s := kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
	for i := range 300 {
		var got string
		want := fmt.Sprint("unknown ", i)
		if st := s.Call("/anything", want, &got).Status(); !st.OK() || got != want {
			t.Fatalf("call: %v, %q", st, got)
		}
	}
	for i, got := range here {
		if want := fmt.Sprint("unknown ", i); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	}
}
