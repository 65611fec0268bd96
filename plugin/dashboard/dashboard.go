package dashboard

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/internal/lograte"
	"github.com/goerpc/erpc/plugin/stats"
)

// Dashboard is the plugin, and the handler of its pages. All methods may be called
// concurrently.
type Dashboard struct {
	cfg     Config
	mistake error
	crossed *http.CrossOriginProtection

	stats    *stats.Stats // the peer's, or the dashboard's own
	peer     erpc.Peer    // nil until the peer is made; constant afterwards
	ready    atomic.Bool  // the two above are set
	began    time.Time
	sampler  *sampler
	roster   *roster
	gate     http.Handler // serves calls of the peer's methods
	sessions meetings
	census   census
	leaving  sync.Map // stores of sessions that were sent GOAWAY
	refused  lograte.Limiter

	mu       sync.Mutex // guards the following
	handlers []*erpc.Handler
	addr     net.Addr // of the listener on Config.Listen
}

var (
	_ erpc.PreNewPeerPlugin     = (*Dashboard)(nil)
	_ erpc.PostNewPeerPlugin    = (*Dashboard)(nil)
	_ erpc.PostRegPlugin        = (*Dashboard)(nil)
	_ erpc.PostAcceptPlugin     = (*Dashboard)(nil)
	_ erpc.PostDialPlugin       = (*Dashboard)(nil)
	_ erpc.PostDisconnectPlugin = (*Dashboard)(nil)
)

// New returns the dashboard of the peer that is made with it. If cfg is
// invalid, erpc.NewPeer panics; see [Config.Validate].
func New(cfg Config) *Dashboard {
	cfg.Hosts = slices.Clone(cfg.Hosts)
	return &Dashboard{cfg: cfg, mistake: cfg.Validate(), crossed: http.NewCrossOriginProtection(), began: time.Now()}
}

// Name returns the name of the plugin.
func (*Dashboard) Name() string { return "dashboard" }

// PreNewPeer finds the peer's plugin of package stats, or adds one.
func (d *Dashboard) PreNewPeer(_ *erpc.PeerConfig, plugins *erpc.PluginContainer) error {
	if d.mistake != nil {
		return d.mistake
	}
	if d.stats != nil {
		return errors.New("dashboard: the plugin serves one peer; make another with New")
	}
	for _, p := range plugins.GetAll() {
		if s, ok := p.(*stats.Stats); ok {
			d.stats = s
		}
	}
	if d.stats == nil {
		d.stats = stats.New(stats.Config{})
		plugins.AppendLeft(d.stats)
	}
	return nil
}

// PostNewPeer starts recording, and serving on Config.Listen.
func (d *Dashboard) PostNewPeer(peer erpc.EarlyPeer) error {
	if d.stats == nil {
		return errors.New("dashboard: give the plugin to NewPeer")
	}
	d.peer = peer
	d.sampler = newSampler(d.measure)
	d.roster = newRoster(d.rows)
	d.gate = erpc.HTTPHandler(peer, erpc.HTTPConfig{UnsafeGET: false})
	d.ready.Store(true)
	ended := make(chan struct{})
	peer.OnClose(func() { close(ended) })
	go d.record(ended)
	if d.cfg.Listen != "" {
		go d.serve(ended)
	}
	return nil
}

// record takes samples until the peer is closed.
func (d *Dashboard) record(ended <-chan struct{}) {
	timer := time.NewTimer(minInterval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(d.sampler.record(time.Now()))
			d.roster.forget(time.Now())
		case <-ended:
			return
		}
	}
}

// PostReg remembers a handler.
func (d *Dashboard) PostReg(h *erpc.Handler) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handlers = append(d.handlers, h)
	return nil
}

// registered returns the handlers of methods, sorted by name.
func (d *Dashboard) registered() []*erpc.Handler {
	d.mu.Lock()
	all := slices.DeleteFunc(slices.Clone(d.handlers), (*erpc.Handler).IsUnknown)
	d.mu.Unlock()
	slices.SortFunc(all, func(a, b *erpc.Handler) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// PostAccept records when and how the session began.
func (d *Dashboard) PostAccept(sess erpc.PreSession) *erpc.Status {
	d.sessions.begin(sess, false)
	return nil
}

// PostDial records when and how the session began.
func (d *Dashboard) PostDial(sess erpc.PreSession, isRedial bool) *erpc.Status {
	d.sessions.begin(sess, true)
	return nil
}

// PostDisconnect forgets the session.
func (d *Dashboard) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	d.sessions.end(sess)
	return nil
}

func (d *Dashboard) log() *slog.Logger { return d.peer.Config().Logger }
