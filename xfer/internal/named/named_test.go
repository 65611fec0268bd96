package named

import (
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

type plain struct{ Filter }

func (*plain) OnPack(b []byte) ([]byte, error)   { return b, nil }
func (*plain) OnUnpack(b []byte) ([]byte, error) { return b, nil }

func panicText(f func()) (text string) {
	defer func() {
		if p, ok := recover().(string); ok {
			text = p
		}
	}()
	f()
	return ""
}

func TestReg(t *testing.T) {
	f := &plain{New(200, "plain")}
	Reg(f, nil)
	if got, err := xfer.Get(200); err != nil || got != xfer.XferFilter(f) || got.ID() != 200 || got.Name() != "plain" {
		t.Errorf("got %v, %v", got, err)
	}
	if got := panicText(func() { Reg(nil, errors.New("level 99")) }); got != "level 99" {
		t.Errorf("panic %q", got)
	}
	if got := panicText(func() { Reg(&plain{New(200, "other")}, nil) }); !strings.Contains(got, "id 200 is taken") {
		t.Errorf("panic %q", got)
	}
}
