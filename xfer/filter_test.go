package xfer_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
	"github.com/goerpc/erpc/xfer/s2"
	"github.com/goerpc/erpc/xfer/xfertest"
	"github.com/goerpc/erpc/xfer/zstd"
)

// TestMain registers, once for the process, the filters of these tests: v7's under
// the ids of the golden messages, ours, and fakes.
func TestMain(m *testing.M) {
	xfer.Reg(inflater{'X', "inflates"})
	xfer.RegRatio(inflater{'Y', "inflates more"}, 4*xfer.DefaultRatio)
	gzip.Reg('g', "gizp-5", 5)
	md5.Reg('m', "md5")
	zstd.Reg('z', "zstd", 1)
	s2.Reg('s', "s2", s2.Fast)
	for _, id := range []byte("abc") {
		xfer.Reg(tag(id))
	}
	xfer.Reg(&fake{id: 'P', name: "panics", do: func([]byte) ([]byte, error) { panic("boom!") }})
	xfer.Reg(&fake{id: 'E', name: "panics with error", do: func([]byte) ([]byte, error) { panic(io.ErrNoProgress) }})
	xfer.Reg(&fake{id: 'F', name: "fails", do: func([]byte) ([]byte, error) { return []byte("partial"), io.ErrClosedPipe }})
	xfer.Reg(&fake{id: 'D', name: "doubles", do: func(b []byte) ([]byte, error) {
		return append(append([]byte{}, b...), b...), nil
	}})
	xfer.Reg(&fake{id: 'N', name: "nothing", do: func(b []byte) ([]byte, error) { return b, nil }})
	os.Exit(m.Run())
}

// tag is a filter that puts its id in front of the data and expects it there.
type tag byte

func (t tag) ID() byte     { return byte(t) }
func (t tag) Name() string { return "tag " + string(rune(t)) }

func (t tag) OnPack(b []byte) ([]byte, error) {
	return append([]byte{byte(t)}, b...), nil
}

func (t tag) OnUnpack(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] != byte(t) {
		return nil, errTag
	}
	return b[1:], nil
}

var errTag = errors.New("not my tag")

// fake is a filter that does the same both ways.
type fake struct {
	id   byte
	name string
	do   func([]byte) ([]byte, error)
}

func (f *fake) ID() byte                          { return f.id }
func (f *fake) Name() string                      { return f.name }
func (f *fake) OnPack(b []byte) ([]byte, error)   { return f.do(b) }
func (f *fake) OnUnpack(b []byte) ([]byte, error) { return f.do(b) }

func TestFiltersOfTheseTestsConform(t *testing.T) {
	t.Run("tag", func(t *testing.T) { xfertest.Run(t, tag('a')) })
	t.Run("example", func(t *testing.T) { xfertest.Run(t, invert{}) })
}

func pipe(tb testing.TB, ids string) *xfer.XferPipe {
	tb.Helper()
	p := xfer.NewXferPipe()
	if err := p.Append([]byte(ids)...); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPanicError(t *testing.T) {
	for _, tc := range []struct{ ids, want string }{
		{"P", "panic in filter panics: boom!"},
		{"E", "panic in filter panics with error: " + io.ErrNoProgress.Error()},
	} {
		p := pipe(t, tc.ids)
		_, packErr := p.OnPack([]byte("x"))
		_, unpackErr := p.OnUnpackLimit([]byte("x"), 10)
		for _, err := range []error{packErr, unpackErr} {
			var pe *xfer.PanicError
			if !errors.As(err, &pe) {
				t.Fatalf("got %v, want a *PanicError", err)
			}
			if err.Error() != tc.want {
				t.Errorf("got %q, want %q", err, tc.want)
			}
			if !strings.Contains(string(pe.Stack), "TestMain") {
				t.Errorf("the stack does not show where the panic was:\n%s", pe.Stack)
			}
			if got, want := errors.Is(err, io.ErrNoProgress), tc.ids == "E"; got != want {
				t.Errorf("wraps the value: %v, want %v", got, want)
			}
		}
	}
}

func TestFilterErrorsAreNamedAndWrapped(t *testing.T) {
	p := pipe(t, "aF")
	got, err := p.OnPack([]byte("x"))
	if got != nil || !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), `xfer: filter "fails": `) {
		t.Errorf("OnPack: got %q, %v", got, err)
	}
	got, err = p.OnUnpack([]byte("zzz"))
	if got != nil || !errors.Is(err, errTag) || !strings.Contains(err.Error(), `xfer: filter "tag a": `) {
		t.Errorf("OnUnpack: got %q, %v", got, err)
	}
}
