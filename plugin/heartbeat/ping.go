package heartbeat

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// Ping is the plugin that sends heartbeats.
type Ping = *Pinger

// A Pinger sends heartbeats on the sessions of its peers. All methods may be
// called concurrently.
type Pinger struct {
	rate   atomic.Int64 // nanoseconds
	push   atomic.Bool
	misses time.Duration
	lost   lograte.Limiter // lines about connections on which nothing was heard
}

// NewPing returns a plugin that sends a heartbeat every rateSecond seconds, as
// a CALL or as a PUSH. A value below 1 means 3.
func NewPing(rateSecond int, useCall bool) Ping {
	p := NewPinger(PingConfig{Push: !useCall})
	p.SetRate(rateSecond)
	return p
}

// NewPinger returns a plugin that sends heartbeats.
func NewPinger(cfg PingConfig) Ping {
	p := &Pinger{misses: DefaultMisses}
	if cfg.Misses > 0 {
		p.misses = time.Duration(cfg.Misses)
	}
	p.SetInterval(cfg.Rate)
	p.push.Store(cfg.Push)
	return p
}

var (
	_ erpc.PostDialPlugin       = (*Pinger)(nil)
	_ erpc.PostAcceptPlugin     = (*Pinger)(nil)
	_ erpc.PostDisconnectPlugin = (*Pinger)(nil)
)

// Name returns the name of the plugin.
func (*Pinger) Name() string { return "heart-ping" }

// SetRate sets the time between two heartbeats, in seconds.
func (p *Pinger) SetRate(rateSecond int) {
	p.SetInterval(time.Duration(min(rateSecond, int(MaxRate/time.Second))) * time.Second)
}

// SetInterval sets the time between two heartbeats. Sessions adopt it at their
// next check.
func (p *Pinger) SetInterval(rate time.Duration) { p.rate.Store(int64(clamp(rate))) }

// Interval returns the time between two heartbeats.
func (p *Pinger) Interval() time.Duration { return time.Duration(p.rate.Load()) }

// UseCall sends heartbeats as CALLs from now on.
func (p *Pinger) UseCall() { p.push.Store(false) }

// UsePush sends heartbeats as PUSHes from now on.
func (p *Pinger) UsePush() { p.push.Store(true) }

type pingKey struct{ p *Pinger }

// PostDial starts to watch a connection.
func (p *Pinger) PostDial(sess erpc.PreSession, _ bool) *erpc.Status { return p.watch(sess, true) }

// PostAccept starts to watch a connection.
func (p *Pinger) PostAccept(sess erpc.PreSession) *erpc.Status { return p.watch(sess, false) }

func (p *Pinger) watch(sess erpc.PreSession, dialed bool) *erpc.Status {
	stop(sess, pingKey{p}) // the watch of the connection before a redial
	w := newWatch(sess, dialed, &p.lost, p.look)
	sess.Swap().Store(pingKey{p}, w)
	rate := p.Interval()
	w.begin(rate, min(rate/2, firstLook))
	return nil
}

// PostDisconnect stops watching the connection.
func (p *Pinger) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	stop(sess, pingKey{p})
	return nil
}

func stop(sess erpc.BaseSession, key any) {
	if w, ok := sess.Swap().Load(key); ok {
		sess.Swap().Delete(key)
		w.(*watch).stop()
	}
}

// look sends a heartbeat if one direction was idle for a beat, or if the other
// side does not know the rate. It reports whether the connection is dead.
func (p *Pinger) look(w *watch, sess erpc.Session, s *signs) (dead bool) {
	rate, push := p.Interval(), p.push.Load()
	w.begin(rate, rate/2)
	ask := time.Duration(1) // beats without a sign of life after which a call asks for one
	if push {
		ask = max(p.misses-1, 1)
	}
	open := s.unanswered()
	behind := w.inOrder && sess.Stats().Pending > 1 // earlier calls are answered first
	if open && s.unheard > 0 && !s.waits && !behind {
		s.silence += rate / 2
		if s.silence >= (p.misses-ask+1)*rate+s.grace() {
			return true
		}
	}
	if open {
		return false
	}
	s.settle(sess)
	quiet := s.unheard >= 2*int(ask)
	// A peer whose queue is never empty may never get to send a second heartbeat,
	// but it must send the first: without it the other side does not know the
	// rate.
	if s.told != 0 && (s.waits || !quiet && s.unsaid < 2 && s.told == rate) {
		return false
	}
	s.unsaid, s.told = 0, rate
	s.messages++ // count the heartbeat itself, so that it does not delay the next
	settings := meta(rate)
	if !push || quiet {
		s.asked = sess.AsyncCall(ServiceMethod, nil, nil, nil, settings...)
	} else if st := sess.Push(ServiceMethod, nil, settings...); !st.OK() {
		s.told = 0
		sess.Log(slog.LevelDebug, "heartbeat: not pushed", slog.Any("status", st))
	}
	return false
}

// settle checks the result of the last heartbeat call, if there was one. If it
// failed, the other side does not know the rate.
func (s *signs) settle(sess erpc.Session) {
	if s.asked == nil {
		return
	}
	if st := s.asked.Status(); !st.OK() {
		if c := st.Code(); c == erpc.CodeExhausted || c == erpc.CodeShuttingDown {
			s.told = 0
		}
		sess.Log(slog.LevelDebug, "heartbeat: the last one has failed", slog.Any("status", st))
	}
	s.asked = nil
}

func meta(rate time.Duration) []erpc.MessageSetting {
	seconds := (rate + time.Second - 1) / time.Second
	m := []erpc.MessageSetting{erpc.WithSetMeta(wire.MetaHeartbeat, strconv.Itoa(int(seconds)))}
	if rate%time.Second != 0 {
		m = append(m, erpc.WithSetMeta(wire.MetaBeat, strconv.FormatInt(rate.Milliseconds(), 10)))
	}
	return m
}
