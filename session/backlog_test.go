package session

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// A backlogModel is a simple implementation of what a backlog must do.
type backlogModel struct {
	limit, maxWaiting int
	maxWait           time.Duration
	running           []int // being handled
	waiting           []waitingModel
	refused           []int
}

type waitingModel struct {
	n     int
	since time.Time
	gone  bool // its caller has cancelled
}

func (m *backlogModel) arrive(n int) {
	if len(m.running) < m.limit {
		m.running = append(m.running, n)
		return
	}
	m.waiting = append(m.waiting, waitingModel{n: n, since: time.Now()})
	if len(m.waiting) > m.maxWaiting {
		m.refused = append(m.refused, m.waiting[0].n)
		m.waiting = m.waiting[1:]
	}
}

func (m *backlogModel) done(n int) {
	m.running = slices.DeleteFunc(m.running, func(r int) bool { return r == n })
	for len(m.waiting) > 0 {
		last := m.waiting[len(m.waiting)-1] // the newest
		m.waiting = m.waiting[:len(m.waiting)-1]
		if !last.gone {
			m.running = append(m.running, last.n)
			return
		}
		m.refused = append(m.refused, last.n)
	}
}

func (m *backlogModel) cancel(i int) { m.waiting[i].gone = true }

func (m *backlogModel) pass() {
	for len(m.waiting) > 0 && time.Since(m.waiting[0].since) >= m.maxWait {
		m.refused = append(m.refused, m.waiting[0].n)
		m.waiting = m.waiting[1:]
	}
}

// A backlogWalk drives a handler with a backlog and its model side by side.
type backlogWalk struct {
	*unit
	h       *Handler
	model   backlogModel
	entered chan int
	calls   int

	mu      sync.Mutex // guards release
	release map[int]chan struct{}
}

// released is closed when the handler of n may return.
func (w *backlogWalk) released(n int) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.release[n] == nil {
		w.release[n] = make(chan struct{})
	}
	return w.release[n]
}

func newBacklogWalk(t *testing.T, model backlogModel) *backlogWalk {
	w := &backlogWalk{model: model, release: map[int]chan struct{}{}, entered: make(chan int, 1000)}
	w.h = callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		w.entered <- n
		<-w.released(n)
		return n, nil
	})
	w.h.SetLimit(model.limit)
	w.h.SetQueue(model.maxWaiting, model.maxWait)
	t.Cleanup(func() {
		for _, n := range w.model.running { // of a walk that has failed
			close(w.released(n))
		}
	})
	w.unit = newUnit(t, callRoute{call: w.h}, nil)
	w.prove()
	return w
}

func (w *backlogWalk) arrive() {
	w.calls++
	n := w.calls
	w.model.arrive(n)
	w.accept(message.TypeCall, int32(n), "/h", n, WithCancel())
}

func (w *backlogWalk) done(n int) {
	w.model.done(n)
	close(w.released(n))
}

// check compares the two once everything waits.
func (w *backlogWalk) check(t *testing.T, step string) {
	t.Helper()
	synctest.Wait()
	var started []int
	for len(w.entered) > 0 {
		started = append(started, <-w.entered)
	}
	for _, n := range started {
		if !slices.Contains(w.model.running, n) {
			t.Fatalf("%s: %d was handled; the model handles %v", step, n, w.model.running)
		}
	}
	var refused []int
	for _, m := range w.sent() {
		if m.StatusOK() {
			continue
		}
		if m.Status().Code() != message.CodeExhausted || m.Meta().Get(metaRefused) == "" || !strings.Contains(fmt.Sprint(m.Status().Cause()), "overflow") {
			t.Fatalf("%s: %d was refused with %v, %v", step, m.Seq(), m.Status(), m.Meta())
		}
		refused = append(refused, int(m.Seq()))
	}
	slices.Sort(refused)
	slices.Sort(w.model.refused)
	if !slices.Equal(refused, w.model.refused) {
		t.Fatalf("%s: %v were refused, want %v", step, refused, w.model.refused)
	}
	w.model.refused = nil
	w.h.backlog.mu.Lock()
	defer w.h.backlog.mu.Unlock()
	if w.h.backlog.running != len(w.model.running) || len(w.h.backlog.waiting) != len(w.model.waiting) {
		t.Fatalf("%s: %d run and %d wait, want %d and %d", step,
			w.h.backlog.running, len(w.h.backlog.waiting), len(w.model.running), len(w.model.waiting))
	}
	if n := int(w.places.handlers.Load()); n != len(w.model.running)+len(w.model.waiting) {
		t.Fatalf("%s: %d places are taken, want %d", step, n, len(w.model.running)+len(w.model.waiting))
	}
}

// TestBacklogAgainstItsModel walks a backlog at random: messages arrive, handlers
// return, callers cancel, time passes.
func TestBacklogAgainstItsModel(t *testing.T) {
	for seed := range uint64(30) {
		bubble(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newBacklogWalk(t, backlogModel{limit: 1 + rnd.IntN(3), maxWaiting: 1 + rnd.IntN(4), maxWait: 100 * time.Millisecond})
			for i := range 80 {
				step := "arrive"
				switch op := rnd.IntN(10); {
				case op < 5:
					w.arrive()
				case op < 7 && len(w.model.running) > 0:
					n := w.model.running[rnd.IntN(len(w.model.running))]
					step = fmt.Sprint("done ", n)
					w.done(n)
				case op < 8 && len(w.model.waiting) > 0:
					i := rnd.IntN(len(w.model.waiting))
					step = fmt.Sprint("cancel ", w.model.waiting[i].n)
					w.accept(message.TypePush, int32(w.model.waiting[i].n), controlCancel, nil)
					w.model.cancel(i)
				default:
					d := time.Duration(rnd.IntN(60)) * time.Millisecond
					step = fmt.Sprint("pass ", d)
					time.Sleep(d + time.Microsecond) // off the ticks
					w.model.pass()
				}
				w.check(t, fmt.Sprintf("seed %d, step %d, %s", seed, i, step))
			}
			for len(w.model.running) > 0 {
				w.done(w.model.running[0])
				w.check(t, fmt.Sprintf("seed %d, at the end", seed))
			}
			if n := w.budget.bytes.Load(); n != 0 {
				t.Errorf("seed %d: %d bytes are left in flight", seed, n)
			}
		})
	}
}

// TestQueueNeedsALimit: without a limit, or for an ordered handler, messages do
// not wait in a backlog.
func TestQueueNeedsALimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    func(*Handler)
		queues bool
	}{
		{"limit and queue", func(h *Handler) { h.SetLimit(1); h.SetQueue(1, time.Second) }, true},
		{"no limit", func(h *Handler) { h.SetQueue(1, time.Second) }, false},
		{"no queue", func(h *Handler) { h.SetLimit(1) }, false},
		{"of nothing", func(h *Handler) { h.SetLimit(1); h.SetQueue(0, time.Second) }, false},
		{"for no time", func(h *Handler) { h.SetLimit(1); h.SetQueue(1, 0) }, false},
		{"taken back", func(h *Handler) { h.SetLimit(1); h.SetQueue(1, time.Second); h.SetQueue(0, 0) }, false},
		{"ordered", func(h *Handler) { h.SetLimit(1); h.SetQueue(1, time.Second); h.SetOrdered(true) }, false},
	} {
		h := callHandler(nil)
		c.set(h)
		if got := h.queues(); got != c.queues {
			t.Errorf("%s: queues is %v", c.name, got)
		}
	}
	if (*Handler)(nil).queues() {
		t.Error("no handler queues")
	}
}

// TestWaitingOfAConnectionThatEnds: a message that waits gives its places back
// when its turn would come.
func TestWaitingOfAConnectionThatEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newBacklogWalk(t, backlogModel{limit: 1, maxWaiting: 3, maxWait: time.Hour})
		for range 3 {
			w.arrive()
		}
		synctest.Wait()
		_ = w.unit.conn.close(nil)
		w.done(1)
		synctest.Wait()
		if n := w.places.handlers.Load(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
		if len(w.entered) != 1 {
			t.Errorf("%d handlers ran", len(w.entered))
		}
		w.model.running = nil
		time.Sleep(2 * time.Hour) // until the timer of the backlog has found nothing
	})
}

// TestFullConnectionHoldsUpNoOther: messages of two connections wait for one
// handler, and one of the connections takes no answers. Refusing its messages
// blocks neither a new message of the other one, nor a handler that ends, nor the
// timer.
func TestFullConnectionHoldsUpNoOther(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(stuck, free *unit, release chan<- struct{})
		want map[int32]int32 // codes of what the other gets, by number
	}{
		{"enter", func(stuck, free *unit, release chan<- struct{}) {
			stuck.accept(message.TypeCall, 1, "/h", 1)
			stuck.accept(message.TypeCall, 2, "/h", 1)
			free.accept(message.TypeCall, 2, "/h", 1) // turns the first away
			close(release)
		}, map[int32]int32{1: message.CodeOK, 2: message.CodeOK}},
		{"leave", func(stuck, free *unit, release chan<- struct{}) {
			stuck.accept(message.TypeCall, 1, "/h", 1, message.WithSetMeta(MetaTimeout, "0"))
			stuck.accept(message.TypePush, 1, controlCancel, nil)
			close(release)
		}, map[int32]int32{1: message.CodeOK}},
		{"expire", func(stuck, free *unit, release chan<- struct{}) {
			stuck.accept(message.TypeCall, 1, "/h", 1)
			free.accept(message.TypeCall, 2, "/h", 1)
			time.Sleep(2 * time.Second)
			close(release)
		}, map[int32]int32{1: message.CodeOK, 2: message.CodeExhausted}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				release := make(chan struct{})
				h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { <-release; return n, nil })
				h.SetLimit(1)
				h.SetQueue(2, time.Second)
				route := callRoute{call: h}
				stuck := newUnit(t, route, func(sh *Shared) { sh.Socket = socket.Config{QueueLimit: 1 << 10}.Complete() })
				free := newUnit(t, route, nil)
				stuck.prove()
				stuck.net.block()
				for n := range int32(100) {
					stuck.owe(debt{what: debtHello, seq: n})
				}
				if stuck.debts.get().empty() {
					t.Fatal("everything found room")
				}
				free.accept(message.TypeCall, 1, "/h", 1) // is at work
				done := make(chan struct{})
				go func() {
					defer close(done)
					c.then(stuck, free, release)
				}()
				select {
				case <-done:
				case <-time.After(10 * time.Second): // less than a write timeout
					t.Fatal("held up")
				}
				synctest.Wait()
				got := map[int32]int32{}
				for _, m := range free.sent() {
					got[m.Seq()] = m.Status().Code()
				}
				if !maps.Equal(got, c.want) {
					t.Errorf("the other got %v, want %v", got, c.want)
				}
				stuck.net.unblock()
			})
		})
	}
}
