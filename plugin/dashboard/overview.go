package dashboard

import (
	"cmp"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/goerpc/erpc/plugin/stats"
)

// overview is the answer of api/overview.
type overview struct {
	Host       string   `json:"host"`
	PID        int      `json:"pid"`
	Go         string   `json:"go"`
	CPUs       int      `json:"cpus"`
	Began      int64    `json:"began"` // milliseconds, like all times
	Now        int64    `json:"now"`
	Listeners  []string `json:"listeners"`
	Actions    bool     `json:"actions"`
	Level      string   `json:"level,omitempty"`
	Cluster    bool     `json:"cluster"`
	Total      totals   `json:"total"`
	Points     []point  `json:"points"`
	KeepMillis int64    `json:"keepMillis"`
}

// totals are counts since the peer was made.
type totals struct {
	Calls        uint64 `json:"calls"`
	Pushes       uint64 `json:"pushes"`
	Errors       uint64 `json:"errors"`
	Made         uint64 `json:"made"`
	Unknown      uint64 `json:"unknown"` // messages to unregistered methods
	BytesIn      uint64 `json:"bytesIn"`
	BytesOut     uint64 `json:"bytesOut"`
	MessagesIn   uint64 `json:"messagesIn"`
	MessagesOut  uint64 `json:"messagesOut"`
	Dropped      uint64 `json:"dropped"`
	Accepts      uint64 `json:"accepts"`
	AcceptErrors uint64 `json:"acceptErrors"`
	Refused      uint64 `json:"refused"`
	Dials        uint64 `json:"dials"`
	DialErrors   uint64 `json:"dialErrors"`
	Ended        int    `json:"ended"`
}

func totalsOf(s sample) totals {
	t := totals{
		Made: s.made(), Unknown: s.methods.HandledCalls[stats.Unknown].Ended + s.methods.HandledPushes[stats.Unknown].Ended,
		BytesIn: s.peer.BytesIn, BytesOut: s.peer.BytesOut, MessagesIn: s.peer.MessagesIn, MessagesOut: s.peer.MessagesOut,
		Dropped: s.peer.Dropped, Accepts: s.peer.Accepts, AcceptErrors: s.peer.AcceptErrors, Refused: s.peer.Refused,
		Dials: s.peer.Dials, DialErrors: s.peer.DialErrors, Ended: s.peer.Ended,
	}
	t.Calls, t.Pushes, t.Errors = s.handled()
	return t
}

// overview serves api/overview, with the parameter after: the time of the last
// point that the page has.
func (d *Dashboard) overview(r *http.Request) (any, error) {
	after, err := strconv.ParseInt(cmp.Or(r.FormValue("after"), "0"), 10, 64)
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "after is not a time in milliseconds"}
	}
	now := time.Now()
	o := &overview{
		PID: os.Getpid(), Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Began: d.began.UnixMilli(), Now: now.UnixMilli(),
		Listeners: []string{}, Actions: d.cfg.Actions, Cluster: d.cfg.Cluster != nil, KeepMillis: keep.Milliseconds(),
	}
	o.Host, err = os.Hostname()
	if err != nil {
		o.Host = "unknown host" // only used as a title
	}
	for _, lis := range d.peer.Listeners() {
		o.Listeners = append(o.Listeners, lis.Addr().Network()+" "+lis.Addr().String())
	}
	if d.cfg.Level != nil {
		o.Level = d.cfg.Level.Level().String()
	}
	d.sampler.look(now, func(s sample, h *history, _ *trends) {
		o.Total, o.Points = totalsOf(s), h.after(after, now)
	})
	return o, nil
}
