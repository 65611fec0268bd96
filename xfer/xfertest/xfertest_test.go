package xfertest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

// filter is a filter made of functions; a nil function passes bytes through.
type filter struct {
	id           func() byte
	pack, unpack func([]byte) ([]byte, error)
}

func (f *filter) ID() byte {
	if f.id != nil {
		return f.id()
	}
	return 1
}

func (f *filter) Name() string { return "test" }

func (f *filter) OnPack(b []byte) ([]byte, error) {
	if f.pack != nil {
		return f.pack(b)
	}
	return b, nil
}

func (f *filter) OnUnpack(b []byte) ([]byte, error) {
	if f.unpack != nil {
		return f.unpack(b)
	}
	return b, nil
}

// limited adds a limit, which is kept if exact is set and off by one otherwise.
type limited struct {
	filter
	exact bool
}

func (f *limited) OnUnpackLimit(b []byte, limit int) ([]byte, error) {
	if !f.exact {
		limit++
	}
	if len(b) > limit {
		return nil, xfer.ErrTooLarge
	}
	return b, nil
}

func TestRunAcceptsGoodFilters(t *testing.T) {
	t.Run("pass through", func(t *testing.T) { Run(t, &filter{}) })
	t.Run("with limit", func(t *testing.T) { Run(t, &limited{exact: true}) })
}

// TestChecksFindBrokenFilters: each kind of broken filter is found by its check.
func TestChecksFindBrokenFilters(t *testing.T) {
	var calls byte
	shared := make([]byte, 10<<20)
	errAny := errors.New("refused")
	for _, tc := range []struct {
		name, check, want string
		f                 xfer.XferFilter
	}{
		{"id changes", "identity", "became", &filter{id: func() byte { calls++; return calls }}},
		{"pack fails", "identity", "refused", &filter{pack: func([]byte) ([]byte, error) { return nil, errAny }}},
		{"loses a byte", "round trip", "different", &filter{unpack: func(b []byte) ([]byte, error) {
			return b[:max(0, len(b)-1)], nil
		}}},
		{"refuses empty", "round trip", "refused", &filter{unpack: func(b []byte) ([]byte, error) {
			if len(b) == 0 {
				return nil, errAny
			}
			return b, nil
		}}},
		{"packs in place", "source untouched", "OnPack wrote", &filter{pack: func(b []byte) ([]byte, error) {
			for i := range b {
				b[i] ^= 1
			}
			return b, nil
		}}},
		{"appends to its source", "source untouched", "behind it", &filter{pack: func(b []byte) ([]byte, error) {
			return append(b, 'x'), nil
		}}},
		{"unpacks in place", "source untouched", "OnUnpack wrote", &filter{unpack: func(b []byte) ([]byte, error) {
			for i := range b {
				b[i] ^= 1
			}
			return b, nil
		}}},
		{"reuses its buffer to pack", "results stay", "OnPack was changed", &filter{pack: func(b []byte) ([]byte, error) {
			return shared[:copy(shared, b)], nil
		}}},
		{"reuses its buffer to unpack", "results stay", "OnUnpack was changed", &filter{unpack: func(b []byte) ([]byte, error) {
			return shared[:copy(shared, b)], nil
		}}},
		{"limit off by one", "limit", "ErrTooLarge", &limited{}},
		{"inflates without a limit", "limit", "must implement", &filter{
			pack:   func(b []byte) ([]byte, error) { return b[:len(b)/2], nil },
			unpack: func(b []byte) ([]byte, error) { return bytes.Repeat(b, 2), nil },
		}},
		{"panics on short input", "truncated", "panic", &filter{unpack: func(b []byte) ([]byte, error) {
			return b[:len(b)-1+int(b[0])-int(b[0])], nil
		}}},
		{"panics on odd bytes", "hostile", "panic", &filter{unpack: func(b []byte) ([]byte, error) {
			if len(b) > 2 && b[1] == 0xff {
				panic("odd")
			}
			return b, nil
		}}},
		{"garbles", "concurrent", "different", &filter{unpack: func(b []byte) ([]byte, error) {
			return bytes.ToUpper(b), nil
		}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range checks {
				if c.name != tc.check {
					continue
				}
				err := c.check(tc.f)
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("check %q: want an error with %q, got %v", tc.check, tc.want, err)
				}
				return
			}
			t.Fatalf("no check named %q", tc.check)
		})
	}
}
