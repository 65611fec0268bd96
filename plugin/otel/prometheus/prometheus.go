// Package prometheus is a plugin that measures calls and pushes, at both ends, for
// Prometheus.
//
// It has these metrics, each with the labels peer, kind (call, push,
// handled_call, handled_push) and method:
//
//	erpc_operations_total             how many ended, with the label code as well
//	erpc_operation_duration_seconds   a histogram of how long they took
//	erpc_operations_in_flight         how many are being handled; without method
//	erpc_stream_messages_total        messages of streams that have ended, with the
//	                                  label direction (sent, received) as well
//
// and, with the label peer, erpc_sessions. Several peers may share a registry
// if each has its own plugin and name.
//
// Methods without a handler, whose names clients choose, are counted together
// as "_OTHER"; so are the methods that this peer calls beyond the first 1000,
// and codes beyond the first 100. Pass the plugin to NewPeer, so that it learns
// the names of all handlers. Heartbeats are left out unless [Config].Filter
// accepts them.
//
// Durations have exemplars, which name the trace of a call whose span is sampled. For
// handled calls, put the plugin of package otel in front of this one. A registry exposes
// exemplars in the format OpenMetrics only: set EnableOpenMetrics of promhttp.HandlerOpts.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel/internal/track"
)

// Config adjusts the plugin. The zero value is for the only peer of a program.
type Config struct {
	// Peer is the value of the label peer. Peers of one registry must have
	// different ones.
	Peer string `yaml:"peer" ini:"peer" comment:"Value of the label peer"`
	// Registerer is where the metrics are registered; nil is the default one.
	Registerer prometheus.Registerer `yaml:"-" ini:"-"`
	// Buckets are the bounds of the histogram in seconds; nil means
	// prometheus.DefBuckets.
	Buckets []float64 `yaml:"-" ini:"-"`
	// Filter reports whether to observe a method; nil means all but heartbeats.
	Filter func(method string) bool `yaml:"-" ini:"-"`
}

// Plugin is the plugin, for one peer. All methods may be called concurrently.
type Plugin struct {
	*track.Tracker
	registerer prometheus.Registerer
	sessions   *sessions
}

var (
	_ erpc.PostNewPeerPlugin         = (*Plugin)(nil)
	_ erpc.PostRegPlugin             = (*Plugin)(nil)
	_ erpc.PreWriteCallPlugin        = (*Plugin)(nil)
	_ erpc.PostReadReplyHeaderPlugin = (*Plugin)(nil)
	_ erpc.PreWritePushPlugin        = (*Plugin)(nil)
	_ erpc.PostReadCallHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostReadPushHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostHandlePlugin          = (*Plugin)(nil)
	_ erpc.PostEndStreamPlugin       = (*Plugin)(nil)
)

// New returns the plugin and registers its metrics. Plugins of one registry share
// them, and must have the same buckets.
func New(cfg Config) (*Plugin, error) {
	if cfg.Registerer == nil {
		cfg.Registerer = prometheus.DefaultRegisterer
	}
	if cfg.Buckets == nil {
		cfg.Buckets = prometheus.DefBuckets
	}
	s := &sessions{desc: prometheus.NewDesc("erpc_sessions", "Sessions that are open.", nil, prometheus.Labels{"peer": cfg.Peer})}
	if err := cfg.Registerer.Register(s); err != nil {
		return nil, fmt.Errorf("prometheus: peer %q: %w; give each peer of a registry a different name", cfg.Peer, err)
	}
	m := &metrics{
		peer: cfg.Peer,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "erpc_operations_total", Help: "Calls and pushes that ended.",
		}, []string{"peer", "kind", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "erpc_operation_duration_seconds", Help: "How long calls took, and the handling of calls and pushes.", Buckets: cfg.Buckets,
		}, []string{"peer", "kind", "method"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "erpc_operations_in_flight", Help: "Calls and pushes that are being handled.",
		}, []string{"peer", "kind"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "erpc_stream_messages_total", Help: "Messages of streams that have ended.",
		}, []string{"peer", "kind", "method", "direction"}),
	}
	if err := errors.Join(share(cfg.Registerer, &m.total), share(cfg.Registerer, &m.durations), share(cfg.Registerer, &m.inFlight), share(cfg.Registerer, &m.messages)); err != nil {
		cfg.Registerer.Unregister(s)
		return nil, err
	}
	return &Plugin{&track.Tracker{Observer: m, Filter: cfg.Filter}, cfg.Registerer, s}, nil
}

// share registers c, or replaces it by the equal collector that another plugin
// has registered.
func share[C prometheus.Collector](r prometheus.Registerer, c *C) error {
	err := r.Register(*c)
	var there prometheus.AlreadyRegisteredError
	if !errors.As(err, &there) {
		return err
	}
	same, ok := there.ExistingCollector.(C)
	if !ok {
		return err
	}
	*c = same
	return nil
}

// Name returns the name of the plugin.
func (*Plugin) Name() string { return "prometheus" }

// PostNewPeer starts to count the sessions of the peer.
func (p *Plugin) PostNewPeer(peer erpc.EarlyPeer) error {
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	if p.sessions.peer != nil {
		return errors.New("prometheus: the plugin already has a peer; make one plugin for each")
	}
	p.sessions.peer = peer
	return nil
}

// Close removes the metric of the peer's sessions from the registry, which
// otherwise keeps it and the peer alive. The other metrics stay, since peers
// share them.
func (p *Plugin) Close() { p.registerer.Unregister(p.sessions) }

// sessions is the collector of erpc_sessions.
type sessions struct {
	desc *prometheus.Desc

	mu   sync.Mutex // guards peer
	peer erpc.EarlyPeer
}

// Describe implements [prometheus.Collector].
func (s *sessions) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect implements [prometheus.Collector].
func (s *sessions) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	peer := s.peer
	s.mu.Unlock()
	n := 0
	if peer != nil {
		n = peer.CountSession()
	}
	ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(n))
}

// metrics holds the metrics that the plugins of one registry share.
type metrics struct {
	peer      string
	total     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
	messages  *prometheus.CounterVec
	codes     track.Names
}

// maxCodes bounds how many codes have their own label value, because peers can
// send any code.
const maxCodes = 100

// Begin implements [track.Observer].
func (m *metrics) Begin(op *track.Op, _ *erpc.Meta) {
	if op.Kind.Handled() {
		m.inFlight.WithLabelValues(m.peer, op.Kind.String()).Inc()
	}
}

// Again implements [track.Observer].
func (*metrics) Again(*track.Op, *erpc.Meta) {}

// End implements [track.Observer].
func (m *metrics) End(op *track.Op, st *erpc.Status) {
	kind := op.Kind.String()
	if op.Kind.Handled() {
		m.inFlight.WithLabelValues(m.peer, kind).Dec()
	}
	m.total.WithLabelValues(m.peer, kind, op.Method, m.codes.Of(strconv.Itoa(int(st.Code())), maxCodes)).Inc()
	observe(m.durations.WithLabelValues(m.peer, kind, op.Method), time.Since(op.Begin).Seconds(), op.Context)
	if op.Stream {
		m.messages.WithLabelValues(m.peer, kind, op.Method, "sent").Add(float64(op.Messages.Sent))
		m.messages.WithLabelValues(m.peer, kind, op.Method, "received").Add(float64(op.Messages.Received))
	}
}

// observe records a duration, with the trace that ctx belongs to if that is sampled.
func observe(to prometheus.Observer, seconds float64, ctx context.Context) {
	span := trace.SpanContextFromContext(ctx)
	if with, ok := to.(prometheus.ExemplarObserver); ok && span.IsSampled() {
		with.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": span.TraceID().String(), "span_id": span.SpanID().String()})
		return
	}
	to.Observe(seconds)
}
