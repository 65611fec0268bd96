package e2e

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A handler's own 503 is an ordinary reply: the client neither retries the call
// nor leaves the connection.
func TestAServicesOwn503(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	var calls, dials atomic.Int32
	erpc.HandleCall(srv, "/busy", func(context.Context, *int) (*int, error) {
		calls.Add(1)
		return nil, erpc.NewStatus(erpc.CodeShuttingDown, "come back tomorrow").Err()
	})
	_, s := kit.Dial(t, addr, erpc.PeerConfig{RedialTimes: -1}, &erpc.PluginImpl{
		PluginName: "dials",
		OnPostDial: func(erpc.PreSession, bool) *erpc.Status { dials.Add(1); return nil },
	})
	for range 3 {
		_, err := erpc.Call[int](t.Context(), s, "/busy", 1)
		if st := erpc.StatusFromError(err); st.Code() != erpc.CodeShuttingDown || st.Msg() != "come back tomorrow" {
			t.Errorf("the call ended with %v", err)
		}
	}
	if calls.Load() != 3 || dials.Load() != 1 {
		t.Errorf("%d calls were executed over %d connections, want 3 over 1", calls.Load(), dials.Load())
	}
}
