package e2e

//lint:file-ignore SA1019 the test is about erpc v7's statuses that are thrown

import (
	"errors"
	"testing"

	"github.com/goerpc/erpc"
)

func TestStatusesAreThrownAndCaughtAsInV7(t *testing.T) {
	lost := errors.New("lost")
	returned := erpc.NewStatus(9, "returned")
	cleaned := false
	for _, tc := range []struct {
		name  string
		throw func() *erpc.Status
		want  *erpc.Status
		meant bool
	}{
		{"nothing", func() *erpc.Status { return nil }, nil, false},
		{"returned", func() *erpc.Status { return returned }, returned, true},
		{"no error", func() *erpc.Status { erpc.CheckStatus(nil, 1, "m"); return nil }, nil, false},
		{"an error", func() *erpc.Status { erpc.CheckStatus(lost, 1, "m", func() { cleaned = true }); return nil }, erpc.NewStatus(1, "m", lost), true},
		{"thrown", func() *erpc.Status { erpc.ThrowStatus(2, "n", "why"); return nil }, erpc.NewStatus(2, "n", "why"), true},
		{"panicked", func() *erpc.Status { erpc.PanicStatus(returned); return nil }, returned, true},
		{"by value", func() *erpc.Status { panic(*erpc.NewStatus(3, "v")) }, erpc.NewStatus(3, "v"), true},
		{"another panic", func() *erpc.Status { panic("oops") }, erpc.NewStatus(erpc.CodeUnknownError, "", "oops"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			meant := !tc.meant
			got := func() (st *erpc.Status) {
				defer erpc.CatchStatus(&st, &meant)
				return tc.throw()
			}()
			if got.String() != tc.want.String() || meant != tc.meant {
				t.Errorf("caught %v, meant: %v; want %v, %v", got, meant, tc.want, tc.meant)
			}
		})
	}
	if !cleaned {
		t.Error("whenError was not called")
	}
}
