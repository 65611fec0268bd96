package thriftproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
)

// TestV7ReadsStructErrors: a real client of v7 gets a status over thrift-struct
// from us, which a server of v7 can't send, and goes on. Other tests with v7 over
// these formats are in the root package.
func TestV7ReadsStructErrors(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	for format := range formats {
		p := wiretest.Serve(t, configOf(format))
		done := wiretest.CallV7(t, v7peer, "-proto", format, "-addr", p.Addr, "-only", "home/fail,home/test-after")
		for _, check := range []string{"home/fail", "home/test-after"} {
			if !done[check].OK {
				t.Errorf("%s: %s did not pass: %+v", format, check, done[check])
			}
		}
	}
}
