package tps

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// TPS is the plugin. All methods may be called concurrently.
type TPS struct {
	interval time.Duration
	mu       sync.Mutex // guards the following
	begin    time.Time  // start of the interval; zero: nothing was handled yet
	counts   map[string]int
}

var (
	_ erpc.PostRegPlugin          = (*TPS)(nil)
	_ erpc.PostWriteReplyPlugin   = (*TPS)(nil)
	_ erpc.PostReadPushBodyPlugin = (*TPS)(nil)
)

// NewTPS returns a plugin that logs the rates of each interval, a second at
// least. It starts no goroutine: the first message after an interval logs that
// interval.
func NewTPS(intervalSecond uint32) *TPS {
	return &TPS{interval: time.Duration(max(1, intervalSecond)) * time.Second, counts: make(map[string]int)}
}

// Name returns the name of the plugin.
func (*TPS) Name() string { return "TPS" }

// PostReg adds a handler to those that are logged.
func (t *TPS) PostReg(h *erpc.Handler) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[h.Name()] = 0
	return nil
}

// PostWriteReply counts a call.
func (t *TPS) PostWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	t.count(ctx, ctx.Output().ServiceMethod())
	return nil
}

// PostReadPushBody counts a push.
func (t *TPS) PostReadPushBody(ctx erpc.ReadCtx) *erpc.Status {
	t.count(ctx, ctx.ServiceMethod())
	return nil
}

func (t *TPS) count(log erpc.Logger, method string) {
	t.mu.Lock()
	now := time.Now()
	if t.begin.IsZero() {
		t.begin = now
	}
	var past map[string]int
	took := now.Sub(t.begin)
	if took >= t.interval {
		past = maps.Clone(t.counts)
		for m := range t.counts {
			t.counts[m] = 0
		}
		t.begin = now
	}
	if _, ok := t.counts[method]; ok { // only registered methods: callers could send any number of names
		t.counts[method]++
	}
	t.mu.Unlock()
	for _, m := range slices.Sorted(maps.Keys(past)) {
		log.Infof("[TPS] %s: %f in last %s", m, float64(past[m])/took.Seconds(), took.Round(time.Millisecond))
	}
}
