package stats

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Handler returns a handler that serves the counts in the text format of
// Prometheus. It leaves out single sessions, which would be too many series.
func (s *Stats) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(s.Snapshot().AppendPrometheus(nil)) // fails only when the client is gone
	})
}

// AppendPrometheus appends the snapshot in the text format of Prometheus.
func (s *Snapshot) AppendPrometheus(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	kinds := []struct {
		kind string
		m    map[string]Method
	}{{"handled_calls", s.HandledCalls}, {"handled_pushes", s.HandledPushes}, {"calls", s.Calls}, {"pushes", s.Pushes}}
	for _, k := range kinds {
		ends := k.kind != "pushes" // a push has no outcome
		streams := strings.HasSuffix(k.kind, "calls")
		counts := []struct {
			name, help string
			of         func(Method) uint64
			skip       bool
		}{
			{"started", "that began to be sent, or that arrived", func(m Method) uint64 { return m.Started }, false},
			{"sent", "that were written, or answered", func(m Method) uint64 { return m.Sent }, k.kind == "handled_pushes"},
			{"errors", "with a failed status", func(m Method) uint64 { return m.Errors }, !ends},
			{"stream_messages_sent", "that were streams and have ended: messages sent", func(m Method) uint64 { return m.MessagesSent }, !streams},
			{"stream_messages_received", "that were streams and have ended: messages received", func(m Method) uint64 { return m.MessagesReceived }, !streams},
		}
		for _, c := range counts {
			if c.skip || len(k.m) == 0 {
				continue
			}
			name := "erpc_" + k.kind + "_" + c.name + "_total"
			head(b, name, "counter", strings.ReplaceAll(k.kind, "_", " ")+" "+c.help)
			for _, method := range slices.Sorted(maps.Keys(k.m)) {
				fmt.Fprintf(b, "%s{method=%s} %d\n", name, label(method), c.of(k.m[method]))
			}
		}
		if ends && len(k.m) > 0 {
			latencies(b, "erpc_"+k.kind+"_seconds", k.m)
		}
	}
	for _, c := range []struct {
		name, kind, help string
		n                uint64
	}{
		{"dials_total", "counter", "attempts to dial", s.Dials},
		{"dial_errors_total", "counter", "attempts to dial that failed", s.DialErrors()},
		{"redials_total", "counter", "connections that replaced another", s.Redialed},
		{"accepts_total", "counter", "accepted connections", s.Accepted},
		{"accept_errors_total", "counter", "accept errors of listeners", s.AcceptErrors},
		{"disconnects_total", "counter", "sessions that ended", s.Disconnects},
		{"read_errors_total", "counter", "sessions that ended because reading failed", s.ReadErrors},
		{"write_errors_total", "counter", "sessions that ended because writing failed", s.WriteErrors},
		{"messages_in_total", "counter", "messages read", s.MessagesIn},
		{"messages_out_total", "counter", "messages written", s.MessagesOut},
		{"bytes_in_total", "counter", "bytes read", s.BytesIn},
		{"bytes_out_total", "counter", "bytes written", s.BytesOut},
		{"reads_total", "counter", "calls of read", s.Reads},
		{"writes_total", "counter", "calls of write", s.Writes},
		{"dropped_total", "counter", "messages dropped because a queue was full", s.Dropped},
		{"sessions", "gauge", "open sessions", uint64(len(s.Sessions))},
		{"queued_bytes", "gauge", "bytes waiting to be written", uint64(s.Queued())},
	} {
		head(b, "erpc_"+c.name, c.kind, c.help)
		fmt.Fprintf(b, "erpc_%s %d\n", c.name, c.n)
	}
	return b.Bytes()
}

func head(b *bytes.Buffer, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func latencies(b *bytes.Buffer, name string, m map[string]Method) {
	head(b, name, "histogram", "how long they took")
	for _, method := range slices.Sorted(maps.Keys(m)) {
		h, l := m[method].Latency, label(method)
		seen := uint64(0)
		for _, bucket := range h.Buckets {
			seen += bucket.Count
			le := "+Inf"
			if bucket.Bound > 0 {
				le = strconv.FormatFloat(bucket.Bound.Seconds(), 'g', -1, 64)
			}
			fmt.Fprintf(b, "%s_bucket{method=%s,le=\"%s\"} %d\n", name, l, le, seen)
		}
		fmt.Fprintf(b, "%s_sum{method=%s} %g\n%s_count{method=%s} %d\n", name, l, h.Sum.Seconds(), name, l, h.Count)
	}
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(s string) string { return `"` + escape.Replace(s) + `"` }
