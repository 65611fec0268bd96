package wire_test

import (
	"fmt"
	"testing"

	"github.com/goerpc/erpc/internal/wire"
)

// Peers of other versions, and clients in other languages, have these names in
// their code: a change here breaks them.
func TestNamesStayAsTheyAre(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{wire.ControlHello, "/erpc.control/hello"},
		{wire.ControlCancel, "/erpc.control/cancel"},
		{wire.ControlGoAway, "/erpc.control/goaway"},
		{wire.ControlBye, "/erpc.control/bye"},
		{wire.ControlEnd, "/erpc.control/end"},
		{wire.ControlDrain, "/erpc.control/drain"},
		{wire.ControlCaps, "/erpc.control/caps"},
		{wire.MetaTimeout, "X-Erpc-Timeout"},
		{wire.MetaHello, "X-Erpc-Hello"},
		{wire.MetaRefused, "X-Erpc-Refused"},
		{wire.MetaEnd, "X-Erpc-End"},
		{wire.MetaCaps, "X-Erpc-Caps"},
		{wire.Heartbeat, "/heartbeat"},
		{wire.MetaHeartbeat, "hb_"},
		{wire.MetaBeat, "X-Erpc-Beat"},
		{fmt.Sprint(wire.CapStreams, wire.MinProofSeq, wire.MaxProofSeq), "1 16777216 1073741824"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
