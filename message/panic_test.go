package message_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer"
)

func TestAsPanic(t *testing.T) {
	for _, c := range []struct {
		err   error
		where string // "": it is not a panic
	}{
		{nil, ""},
		{errors.New("panic"), ""},
		{&message.PanicError{Where: "codec c", Value: 1}, "codec c"},
		{fmt.Errorf("wrapped: %w", &message.PanicError{Where: "codec c", Value: 1}), "codec c"},
		{fmt.Errorf("wrapped: %w", &xfer.PanicError{Where: "filter f", Value: 1}), "filter f"},
	} {
		p, ok := message.AsPanic(c.err)
		if ok != (c.where != "") || ok && (p.Where != c.where || p.Value != 1) {
			t.Errorf("AsPanic(%v) = %v, %v; want one of %q", c.err, p, ok, c.where)
		}
	}
}
