package dashboard

import (
	"math"
	"net/http"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// limitView is the answer of api/limits.
type limitView struct {
	Peer     []limit `json:"peer"`
	Sessions []limit `json:"sessions"` // limits per session, each with the session that is nearest to it
	Times    []age   `json:"times"`
}

// A limit is a limit of the configuration and the peer's current value.
type limit struct {
	Name  string `json:"name"` // its key in configuration files, or what the system calls it
	Max   int64  `json:"max"`  // 0 is none
	Now   int64  `json:"now"`  // -1 if it is not counted
	Bytes bool   `json:"bytes,omitempty"`
	ID    string `json:"id,omitempty"` // of the session
	Key   string `json:"key,omitempty"`
}

// An age is a limit in time, in milliseconds; 0 is none.
type age struct {
	Name string `json:"name"`
	Max  int64  `json:"max"`
}

const uncounted = -1

func (d *Dashboard) limits(*http.Request) (any, error) {
	cfg := d.peer.Config()
	var peer sample
	d.sampler.look(time.Now(), func(s sample, _ *history, _ *trends) { peer = s })
	files, maxFiles := openFiles()
	v := limitView{
		Peer: []limit{
			{Name: "max_sessions", Max: bound(cfg.MaxSessions), Now: int64(d.sessions.accepted())},
			{Name: "max_handlers", Max: bound(cfg.MaxHandlers), Now: int64(peer.peer.Handlers)},
			{Name: "stream_memory", Max: bound(cfg.StreamMemory), Now: peer.peer.StreamMemory, Bytes: true},
			{Name: "decode_memory", Max: bound(cfg.DecodeMemory), Now: peer.peer.DecodeMemory, Bytes: true},
			{Name: "open files", Max: maxFiles, Now: files},
			{Name: "GOMEMLIMIT", Max: memoryLimit(), Now: int64(memory()), Bytes: true},
		},
		Sessions: []limit{
			{Name: "max_session_handlers", Max: bound(cfg.MaxSessionHandlers)},
			{Name: "max_streams", Max: bound(cfg.MaxStreams)},
			{Name: "queue_limit", Max: bound(cfg.QueueLimit), Bytes: true},
			{Name: "inflight_limit", Max: bound(cfg.InflightLimit), Bytes: true},
			{Name: "read_limit", Max: bound(cfg.ReadLimit), Now: uncounted, Bytes: true},
			{Name: "stream_message_limit", Max: bound(cfg.StreamMessageLimit), Now: uncounted, Bytes: true},
		},
	}
	d.roster.look(func(list []row) {
		nearest(&v.Sessions[0], list, func(r *row) int { return r.Handlers })
		nearest(&v.Sessions[1], list, func(r *row) int { return r.Streams })
		nearest(&v.Sessions[2], list, func(r *row) int { return r.Queued })
		nearest(&v.Sessions[3], list, func(r *row) int { return int(r.InFlight) })
	})
	v.Times = []age{
		{"call_timeout", cfg.CallTimeout.Milliseconds()},
		{"default_context_age", cfg.DefaultContextAge.Milliseconds()},
		{"default_session_age", cfg.DefaultSessionAge.Milliseconds()},
		{"dial_timeout", cfg.DialTimeout.Milliseconds()},
		{"handshake_timeout", cfg.HandshakeTimeout.Milliseconds()},
		{"idle_timeout", cfg.IdleTimeout.Milliseconds()},
		{"slow_comet_duration", cfg.SlowCometDuration.Milliseconds()},
		{"stuck_timeout", cfg.StuckTimeout.Milliseconds()},
		{"write_timeout", cfg.WriteTimeout.Milliseconds()},
	}
	return v, nil
}

// bound returns n, or 0 for the negative values that mean no limit.
func bound(n int) int64 { return int64(max(n, 0)) }

// nearest records in l which session has the largest value.
func nearest(l *limit, list []row, of func(*row) int) {
	for i := range list {
		if n := int64(of(&list[i])); n > l.Now {
			l.Now, l.ID, l.Key = n, clip(list[i].id), keyOf(list[i].id)
		}
	}
}

// memoryLimit returns the memory limit of the process, or 0 if there is none.
func memoryLimit() int64 {
	n := debug.SetMemoryLimit(-1) // a negative limit only reads the current one
	if n == math.MaxInt64 {
		return 0
	}
	return n
}

// memory returns the bytes that count towards that limit.
func memory() uint64 {
	m := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(m)
	return number(m[0]) - min(number(m[0]), number(m[1]))
}
