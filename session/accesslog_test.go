package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// A record has the parts of a log record that tests check.
type record struct {
	level slog.Level
	what  string
	attrs map[string]string // groups as "send.size"
}

// A recorder keeps the records of its level and above.
type recorder struct {
	min slog.Level

	mu   sync.Mutex // guards list
	list []record
}

func (r *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= r.min }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *recorder) WithGroup(string) slog.Handler                { return r }
func (r *recorder) Handle(_ context.Context, in slog.Record) error {
	out := record{in.Level, in.Message, map[string]string{}}
	var put func(prefix string, a slog.Attr)
	put = func(prefix string, a slog.Attr) {
		if a.Value.Kind() == slog.KindGroup {
			for _, b := range a.Value.Group() {
				put(prefix+a.Key+".", b)
			}
			return
		}
		out.attrs[prefix+a.Key] = a.Value.String()
	}
	in.Attrs(func(a slog.Attr) bool { put("", a); return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, out)
	return nil
}

// take returns the records so far, and forgets them.
func (r *recorder) take() []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	slices.SortStableFunc(list, func(a, b record) int { return strings.Compare(a.what, b.what) }) // concurrent operations may end in any order
	return list
}

func logTo(here, there *recorder, set duetSetting) duetSetting {
	return func(a, b *Shared) {
		set(a, b)
		for sh, r := range map[*Shared]*recorder{a: here, b: there} {
			sh.Logger = slog.New(r)
			sh.print = logging.Printer{L: sh.Logger}
		}
	}
}

// What is logged about calls and pushes, and at which level, for each
// configuration.
func TestRunLog(t *testing.T) {
	const debug, info, warning = logging.LevelDebug, logging.LevelInfo, logging.LevelWarning
	for _, c := range []struct {
		name   string
		set    func(*Shared)
		quick  slog.Level // of a call that takes no time
		slow   slog.Level // of one that takes a second
		timed  bool       // it has a cost
		bodies bool
	}{
		{"nothing", func(*Shared) {}, debug, debug, true, false},
		{"count time", func(sh *Shared) { sh.CountTime = true }, info, info, true, false},
		{"print detail", func(sh *Shared) { sh.PrintDetail = true }, info, info, true, true},
		{"slow", func(sh *Shared) { sh.Slow = time.Second }, debug, warning, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			work := func(n int) *message.Status {
				if n > 1 {
					time.Sleep(time.Second)
				}
				if n == 0 {
					return message.NewStatus(1234, "zero")
				}
				return nil
			}
			r := routes{
				call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, work(n) }),
				push: pushHandler(func(n int) { work(n) }),
			}
			here, there := &recorder{min: debug}, &recorder{min: debug}
			duets(t, r, func(d *duet) {
				for _, n := range []int{0, 1, 2} {
					_ = d.here.Call("/h", n, nil, message.WithSetMeta("k", "v")) // its status is logged
					if st := d.here.Push("/h", n); !st.OK() {
						d.Fatal(st)
					}
					time.Sleep(2 * time.Second)
					synctest.Wait()
					out, in := here.take(), there.take()
					if got := names(out); !slices.Equal(got, []string{"CALL->", "PUSH->"}) {
						d.Fatalf("the caller logs %q", got)
					}
					if got := names(in); !slices.Equal(got, []string{"CALL<-", "PUSH<-"}) {
						d.Fatalf("the receiver logs %q", got)
					}
					level := c.quick
					if n == 2 {
						level = c.slow
					}
					for _, rec := range []record{out[0], in[0], in[1]} {
						if rec.level != level || rec.attrs["method"] != "/h" {
							d.Errorf("%d: %v, want level %v", n, rec, level)
						}
						if cost, timed := rec.attrs["cost"]; n == 2 && (!timed || cost != "1s") {
							d.Errorf("%d: %v has the cost %q", n, rec, cost)
						}
					}
					for key, rec := range map[string]record{"recv": out[0], "send": in[0]} {
						if status := rec.attrs[key+".status"]; (n == 0) != strings.Contains(status, "1234") {
							d.Errorf("%d: %s has the status %q", n, rec.what, status)
						}
					}
					for _, key := range []string{"send", "recv"} {
						for _, rec := range []record{out[0], in[0]} {
							if rec.attrs[key+".size"] == "0" || rec.attrs[key+".size"] == "" {
								d.Errorf("%d: %s has the size %q of what it %s", n, rec.what, rec.attrs[key+".size"], key)
							}
						}
					}
					body, meta := out[0].attrs["send.body"], out[0].attrs["send.meta"]
					if c.bodies != (body == fmt.Sprint(n)) || c.bodies != (meta == "k=v") {
						d.Errorf("%d: body %q, metadata %q", n, body, meta)
					}
				}
			}, logTo(here, there, func(a, b *Shared) { c.set(a); c.set(b) }))
		})
	}
}

func names(all []record) (list []string) {
	for _, r := range all {
		list = append(list, r.what)
	}
	return list
}

func TestRunLogOfAStream(t *testing.T) {
	here, there := &recorder{min: logging.LevelInfo}, &recorder{min: logging.LevelInfo}
	h := streamHandler(func(ctx CallCtx, s *Stream) *message.Status {
		time.Sleep(time.Second)
		return echo(ctx, s)
	})
	duets(t, routes{stream: h}, func(d *duet) {
		s := d.open(d.Context())
		for i := range 3 {
			if err := errors.Join(s.Send(i), s.Recv(new(int))); err != nil {
				d.Fatal(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			d.Error(err)
		}
		if err := s.Recv(new(int)); err != io.EOF {
			d.Error(err)
		}
		synctest.Wait() // until both sides have written its line
		closed := d.open(d.Context())
		_ = closed.Close() // never fails
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for side, list := range map[string][]record{"STREAM->": here.take(), "STREAM<-": there.take()} {
			if len(list) != 2 {
				d.Errorf("%s: %v", side, list)
				continue
			}
			well, ill := list[0].attrs, list[1].attrs
			if list[0].what != side || well["sent"] != "3" || well["received"] != "3" || well["status"] != "" || well["cost"] != "1s" {
				d.Errorf("%s: %v", side, list[0])
			}
			if !strings.Contains(ill["status"], fmt.Sprint(message.CodeCanceled)) || ill["sent"] != "0" {
				d.Errorf("%s: %v", side, list[1])
			}
		}
	}, logTo(here, there, func(a, b *Shared) { a.CountTime, b.CountTime = true, true }))
}

// An origin is the origin of records in a unit test.
type origin struct{}

func (origin) LogContext() context.Context { return context.Background() }
func (origin) LogAttrs(to []slog.Attr) []slog.Attr {
	return append(to, slog.String("session", "s"))
}

// TestRecords: level and shape of a record.
func TestRecords(t *testing.T) {
	long := strings.Repeat("m", 2*maxNamed)
	for _, c := range []struct {
		name  string
		cfg   Config
		rec   runRecord
		level slog.Level
		attrs map[string]string
	}{
		{"plain", Config{}, runRecord{what: "PUSH->", method: "/m"}, logging.LevelDebug, map[string]string{"method": "/m"}},
		{"timed", Config{CountTime: true}, runRecord{method: "/m", cost: time.Second}, logging.LevelInfo, map[string]string{"method": "/m", "cost": "1s"}},
		{"detailed", Config{PrintDetail: true}, runRecord{method: "/m"}, logging.LevelInfo, map[string]string{"method": "/m"}},
		{"quick", Config{Slow: time.Second}, runRecord{method: "/m", cost: time.Second - 1}, logging.LevelDebug, map[string]string{"method": "/m", "cost": "999.999999ms"}},
		{"slow", Config{Slow: time.Second, CountTime: true}, runRecord{method: "/m", cost: time.Second}, logging.LevelWarning, map[string]string{"method": "/m", "cost": "1s"}},
		{"through a proxy", Config{}, runRecord{method: "/m", from: "192.0.2.1"}, logging.LevelDebug, map[string]string{"method": "/m", "real": "192.0.2.1"}},
		{"a long method", Config{}, runRecord{method: long}, logging.LevelDebug, map[string]string{"method": long[:maxNamed] + "…"}},
		{"failed", Config{}, runRecord{method: "/m", attrs: failure(message.NewStatus(7, "seven"))}, logging.LevelDebug, map[string]string{"method": "/m", "status": "7"}},
	} {
		r := &recorder{min: c.level}
		c.cfg.Logger = slog.New(r)
		l := runLog{&c.cfg}
		if !l.wants(t.Context(), c.rec.cost) {
			t.Errorf("%s: it is not wanted at its own level", c.name)
		}
		l.write(t.Context(), origin{}, c.rec)
		all := r.take()
		if len(all) != 1 || all[0].level != c.level || all[0].what != c.rec.what || all[0].attrs["session"] != "s" || len(all[0].attrs) != 1+len(c.attrs) {
			t.Errorf("%s: written %v", c.name, all)
			continue
		}
		for key, value := range all[0].attrs {
			if want := c.attrs[key]; key != "session" && (want == "" || !strings.Contains(value, want)) {
				t.Errorf("%s: %s is %q, want %q", c.name, key, value, want)
			}
		}
		r.min = c.level + 1
		if l.wants(t.Context(), c.rec.cost) {
			t.Errorf("%s: it is wanted below its level", c.name)
		}
	}
}

// If the log is off, nothing is measured or formatted for it.
func TestRunLogThatIsOff(t *testing.T) {
	r := &recorder{min: logging.LevelInfo}
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
	duets(t, routes{call: h}, func(d *duet) {
		if got := d.here.shared.runs.clock(); got != 0 {
			d.Errorf("the time is looked at: %v", got)
		}
		cmd := d.here.Call("/h", poison{}, nil)
		if !cmd.StatusOK() || cmd.CostTime() != 0 {
			d.Errorf("%v, cost %v", cmd.Status(), cmd.CostTime())
		}
		if got := r.take(); len(got) != 0 {
			d.Errorf("logged %v", got)
		}
	}, logTo(r, &recorder{min: logging.LevelOff}, func(*Shared, *Shared) {}))
}

// poison is a body that may be encoded only once, for the wire.
type poison struct{}

func (poison) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (poison) String() string               { panic("logged") }

func TestBodiesInTheRunLog(t *testing.T) {
	long := strings.Repeat("x", 2*maxLoggedBody)
	bytes := []byte("bytes")
	for _, c := range []struct {
		body any
		want string
	}{
		{nil, ""},
		{bytes, "bytes"},
		{&bytes, "bytes"},
		{(*[]byte)(nil), ""},
		{map[string]int{"a": 1}, `{"a":1}`},
		{[]byte(long), long[:maxLoggedBody] + "…"},
		{[]byte(long[:maxLoggedBody]), long[:maxLoggedBody]},
		{func() {}, "(json: unsupported type: func())"},
		{panics{}, "(panic: secret)"},
	} {
		if got := loggedBody(c.body); got != c.want {
			t.Errorf("%T is logged as %q, want %q", c.body, got, c.want)
		}
	}
}

// The address that a proxy sends is logged if it is another one.
func TestRealAddressInTheRunLog(t *testing.T) {
	r := &recorder{min: logging.LevelDebug}
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
	duets(t, routes{call: h}, func(d *duet) {
		for _, ip := range []string{"", "192.0.2.7"} {
			if st := d.here.Call("/h", 1, nil, message.WithRealIP(ip)).Status(); !st.OK() {
				d.Fatal(st)
			}
			synctest.Wait()
			all := r.take()
			if len(all) != 1 || all[0].attrs["real"] != ip || all[0].attrs["session"] != "there" || all[0].attrs["remote"] == "" {
				d.Errorf("logged %v, want the address %q", all, ip)
			}
		}
	}, logTo(&recorder{min: logging.LevelOff}, r, func(*Shared, *Shared) {}))
}
