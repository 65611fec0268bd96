package stats

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// The slowest calls of each minute are kept for five minutes.
const (
	slowWindow  = time.Minute
	slowWindows = 5
	maxSlow     = 20  // calls of one window
	maxSlowText = 256 // bytes of a method's name or a session's id
)

// A Kind is the kind of message that a method was counted as.
type Kind int

// The kinds.
const (
	HandledCall Kind = iota
	HandledPush
	Called // made here, and answered
)

// String returns the name of the kind.
func (k Kind) String() string {
	return [...]string{"handled call", "handled push", "call"}[k]
}

// A SlowCall is a call or push that was one of the slowest of its minute.
type SlowCall struct {
	Method  string
	Kind    Kind
	Session string // its id
	Remote  string
	Begin   time.Time
	Took    time.Duration
	Code    int32 // of its status
}

// slowest keeps the slowest calls of each time window. A call that is not one
// of them costs two atomic loads. The zero value is ready.
type slowest struct {
	window atomic.Int64 // the number of the current one
	floor  atomic.Int64 // nanoseconds; calls that took no longer are not among its slowest

	mu     sync.Mutex // guards the following, and changes of the above
	number int64      // number of the window that calls[0] belongs to
	calls  [slowWindows][]SlowCall
}

func (s *slowest) observe(ctx erpc.ReadCtx, begin time.Time, took time.Duration, kind Kind) {
	now := begin.Add(took).UnixNano() / int64(slowWindow)
	if now == s.window.Load() && int64(took) <= s.floor.Load() {
		return
	}
	sess := ctx.Session()
	s.add(now, SlowCall{
		Method: clip(ctx.ServiceMethod()), Kind: kind, Session: clip(sess.ID()), Remote: sess.RemoteAddr().String(),
		Begin: begin, Took: took, Code: ctx.Status().Code(),
	})
}

func (s *slowest) add(window int64, c SlowCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveLocked(window)
	age := s.number - window
	if age < 0 || age >= slowWindows { // the call ended long before it was counted, or the clock was set back
		return
	}
	list := s.calls[age]
	if len(list) < maxSlow {
		list = append(list, c)
	} else if c.Took > list[0].Took {
		list[0] = c
	}
	slices.SortFunc(list, func(a, b SlowCall) int { return cmp.Compare(a.Took, b.Took) })
	s.calls[age] = list
	if age == 0 && len(list) == maxSlow {
		s.floor.Store(int64(list[0].Took))
	}
}

// moveLocked makes window the current one if it is later than that.
func (s *slowest) moveLocked(window int64) {
	step := window - s.number
	if step <= 0 {
		return
	}
	for range min(step, slowWindows) {
		copy(s.calls[1:], s.calls[:])
		s.calls[0] = nil
	}
	s.number = window
	s.floor.Store(math.MinInt64)
	s.window.Store(window)
}

// Slowest returns the slowest calls and pushes of about the last five minutes,
// at most 20 of each minute, the slowest first. It does not include streams. An
// unregistered method has the name that the caller sent.
func (s *Stats) Slowest() []SlowCall {
	q := &s.slowest
	q.mu.Lock()
	defer q.mu.Unlock()
	q.moveLocked(time.Now().UnixNano() / int64(slowWindow))
	all := slices.Concat(q.calls[:]...)
	slices.SortFunc(all, func(a, b SlowCall) int { return cmp.Compare(b.Took, a.Took) })
	return all
}

func clip(s string) string {
	if len(s) <= maxSlowText {
		return s
	}
	return strings.ToValidUTF8(s[:maxSlowText], "") + "…"
}
