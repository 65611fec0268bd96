package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/stats"
)

// methodRow is an element of the answer of api/methods.
type methodRow struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Rate    float64   `json:"rate"`   // per second, over about the last minute
	Failing float64   `json:"errors"` // the same
	P50     int64     `json:"p50"`    // nanoseconds, over about the last minute; the bound of a bucket
	P99     int64     `json:"p99"`
	Mean    int64     `json:"mean"` // over all calls
	Open    uint64    `json:"open"` // started but not ended
	Total   uint64    `json:"total"`
	Failed  uint64    `json:"failed"`
	Codes   []code    `json:"codes"` // of Failed, the most frequent first
	Spark   []float64 `json:"spark"`
}

type code struct {
	Code int32  `json:"code"`
	Text string `json:"text"`
	N    uint64 `json:"n"`
}

func codesOf(m map[int32]uint64) []code {
	list := []code{}
	for c, n := range m {
		text := erpc.CodeText(c)
		if c == stats.OtherCode {
			text = "others"
		}
		list = append(list, code{c, text, n})
	}
	slices.SortFunc(list, func(a, b code) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Code, b.Code)) })
	return list
}

func (d *Dashboard) methods(*http.Request) (any, error) {
	list := []methodRow{}
	d.sampler.look(time.Now(), func(s sample, _ *history, t *trends) {
		each(s.methods, func(key methodKey, c stats.Method) { list = append(list, methodOf(key, c, s, t)) })
	})
	slices.SortFunc(list, func(a, b methodRow) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
	})
	return list, nil
}

func methodOf(key methodKey, c stats.Method, s sample, t *trends) methodRow {
	l := t.lately(key, c, s)
	m := methodRow{
		Name: clip(key.name), Kind: key.kind, Total: done(key.kind, c), Failed: c.Errors, Codes: codesOf(c.Codes), Spark: l.spark,
		P50: int64(l.latency.Quantile(0.5)), P99: int64(l.latency.Quantile(0.99)),
	}
	if key.kind != kindMadePush {
		m.Open = c.Started - min(c.Started, c.Ended)
	}
	if c.Latency.Count > 0 {
		m.Mean = int64(c.Latency.Sum) / int64(c.Latency.Count)
	}
	if l.seconds > 0 {
		m.Rate, m.Failing = float64(l.done)/l.seconds, float64(l.failed)/l.seconds
	}
	return m
}
