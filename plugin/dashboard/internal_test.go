package dashboard

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/stats"
)

// clockOf returns a time and a function that advances it.
func clockOf(start time.Time) (now func() time.Time, move func(time.Duration)) {
	at := start
	return func() time.Time { return at }, func(d time.Duration) { at = at.Add(d) }
}

// newTestSampler returns a sampler whose samples take the given time, and the
// number of samples so far.
func newTestSampler(cost *time.Duration) (s *sampler, now func() time.Time, move func(time.Duration), taken *int) {
	now, move = clockOf(time.Unix(1_000_000, 0))
	taken = new(int)
	var spent time.Duration
	s = newSampler(func() sample {
		*taken++
		spent += *cost
		return sample{}
	})
	s.clock = func() time.Time { return time.Unix(0, 0).Add(spent) } // the cost does not delay what is scheduled
	return s, now, move, taken
}

// The more expensive a sample is, the rarer it becomes: it may take a thousandth of
// a processor when nobody looks, a fiftieth when somebody does.
func TestPace(t *testing.T) {
	const length = 200 * time.Second
	for name, c := range map[string]struct {
		cost    time.Duration
		watched bool
		want    int // samples
	}{
		"cheap":               {50 * time.Microsecond, false, 200},
		"as much as may be":   {time.Millisecond, false, 200},
		"10 ms":               {10 * time.Millisecond, false, 20},
		"10 ms, watched":      {10 * time.Millisecond, true, 200},
		"100 ms":              {100 * time.Millisecond, false, 2},
		"100 ms, watched":     {100 * time.Millisecond, true, 40},
		"nothing, but looked": {0, true, 200},
	} {
		s, now, move, taken := newTestSampler(&c.cost)
		for end := now().Add(length); now().Before(end); {
			if c.watched {
				s.look(now(), func(sample, *history, *trends) {})
				move(500 * time.Millisecond)
				continue
			}
			next := s.record(now())
			if next < minInterval/10 {
				t.Fatalf("%s: the next sample is due in %s", name, next)
			}
			move(next)
		}
		if slack := max(1, c.want/10); *taken < c.want-slack || *taken > c.want+slack {
			t.Errorf("%s: %d samples in %s, want %d", name, *taken, length, c.want)
		}
	}
}

// One sample that takes long because the machine is busy does not make the others
// rarer.
func TestPaceForgivesABusyMachine(t *testing.T) {
	cost := 100 * time.Microsecond
	s, now, move, taken := newTestSampler(&cost)
	for i := range 60 {
		cost = 100 * time.Microsecond
		if i%3 == 2 {
			cost = 300 * time.Millisecond
		}
		move(s.record(now()))
	}
	if *taken != 60 || now().Sub(time.Unix(1_000_000, 0)) > 61*time.Second {
		t.Errorf("%d samples in %s", *taken, now().Sub(time.Unix(1_000_000, 0)))
	}
}

// A new viewer gets a fresh sample, however long nobody has looked.
func TestLookIsFresh(t *testing.T) {
	cost := 10 * time.Millisecond
	s, now, move, taken := newTestSampler(&cost)
	s.record(now())
	move(5 * time.Second) // the next is due in five more
	if s.record(now()); *taken != 1 {
		t.Fatalf("%d samples", *taken)
	}
	s.look(now(), func(last sample, _ *history, _ *trends) {
		if *taken != 2 || !last.at.Equal(now()) {
			t.Errorf("%d samples, the last at %s", *taken, last.at)
		}
	})
	// Many viewers share one sample.
	for range 100 {
		s.look(now(), func(sample, *history, *trends) {})
	}
	if *taken != 2 {
		t.Errorf("%d samples for all viewers", *taken)
	}
}

func TestHistory(t *testing.T) {
	var h history
	now, move := clockOf(time.Unix(1_000_000, 0))
	var before sample
	count := func() stats.Methods {
		n := uint64(now().Unix() - 1_000_000)
		return stats.Methods{
			HandledCalls: map[string]stats.Method{
				"/a": {Ended: 10 * n, Errors: n, Latency: histogramOf(10*n, 0, 0)}, "/b": {Ended: 5 * n, Latency: histogramOf(0, 2*n, 0)},
				"/s": {Stream: true, Latency: histogramOf(0, 0, 50*n)},
			},
			HandledPushes: map[string]stats.Method{"/p": {Ended: 3 * n, Errors: n}},
			Calls:         map[string]stats.Method{"/c": {Sent: 2 * n}},
		}
	}
	for range 2 * maxPoints {
		next := sample{at: now(), methods: count(), heap: 7}
		h.add(before, next)
		before = next
		move(time.Second)
	}
	points := h.after(0, now().Add(-time.Second))
	if len(points) != maxPoints || len(h.points) != maxPoints {
		t.Fatalf("%d points of %d, want %d", len(points), len(h.points), maxPoints)
	}
	for i, p := range points {
		if p.Calls != 15 || p.Pushes != 3 || p.Errors != 2 || p.Made != 2 || p.Heap != 7 || p.P50 != int64(time.Millisecond) || p.P99 != int64(time.Second) {
			t.Fatalf("point %d: %+v", i, p)
		}
	}
	if got := h.after(points[len(points)-3].At, now()); len(got) != 2 {
		t.Errorf("%d points come after the given time, want the last two", len(got))
	}
	if got := h.after(0, now().Add(keep-5*time.Second)); len(got) > 6 {
		t.Errorf("%d points that are too old are shown", len(got))
	}
	// Counters that seem to go back, as when a connection ends, give no negative
	// rate.
	h.add(before, sample{at: now()})
	if p := h.points[len(h.points)-1]; p.Calls != 0 || p.BytesIn != 0 {
		t.Errorf("%+v", p)
	}
}

// histogramOf returns a histogram with a bucket up to a millisecond, one up to a
// second and one above.
func histogramOf(fast, slow, slower uint64) stats.Histogram {
	return stats.Histogram{Count: fast + slow + slower, Buckets: []stats.Bucket{
		{Bound: time.Millisecond, Count: fast}, {Bound: time.Second, Count: slow}, {Count: slower},
	}}
}

// The trend of a method covers the last minute, not all time, and is right when a
// counter of 32 bits wraps.
func TestTrends(t *testing.T) {
	var tr trends
	key := methodKey{kindCall, "/a"}
	now, move := clockOf(time.Unix(1_000_000, 0))
	const start = uint64(1)<<32 - 1000
	at := func(calls, errors, fast, slow uint64) sample {
		return sample{at: now(), methods: stats.Methods{HandledCalls: map[string]stats.Method{"/a": {Ended: calls, Errors: errors, Latency: histogramOf(fast, slow, 0)}}}}
	}
	n := start
	for range 400 { // seconds: 10 quick calls each
		tr.add(at(n, 0, n, 0))
		n += 10
		move(time.Second)
	}
	slow := uint64(0)
	for range 60 { // and then 2 slow ones
		tr.add(at(n, slow, n-slow, slow))
		n += 2
		slow += 2
		move(time.Second)
	}
	last := at(n, slow, n-slow, slow)
	l := tr.lately(key, last.methods.HandledCalls["/a"], last)
	if l.seconds < 50 || l.seconds > 66 || float64(l.done)/l.seconds < 1.9 || float64(l.done)/l.seconds > 3.5 {
		t.Errorf("%d calls in %.0f s", l.done, l.seconds)
	}
	if l.failed < 100 || l.failed > 120 {
		t.Errorf("%d errors in the last minute", l.failed)
	}
	if q := l.latency.Quantile(0.99); q != time.Second {
		t.Errorf("99%% of the last minute took %s", q)
	}
	if len(l.spark) != ticks || l.spark[0] != 10 || l.spark[ticks-1] != 2 {
		t.Errorf("%d values: %v", len(l.spark), l.spark)
	}
	// A new method has no past.
	fresh := stats.Method{Ended: 5, Latency: histogramOf(5, 0, 0)}
	if l := tr.lately(methodKey{kindPush, "/new"}, fresh, last); l.done != 5 || l.latency.Quantile(0.5) != time.Millisecond || len(l.spark) != 0 {
		t.Errorf("%+v", l)
	}
	if l := (&trends{}).lately(key, fresh, last); l.seconds != 0 || l.done != 0 || len(l.spark) != 0 {
		t.Errorf("before the first tick: %+v", l)
	}
}

// A page of a query is a page of the whole sorted list.
func TestQuery(t *testing.T) {
	list := make([]row, 1234)
	for i := range list {
		list[i] = row{id: fmt.Sprintf("id-%04d", i), figures: figures{BytesIn: uint64(rand.IntN(50)), Queued: i % 7}}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	even := func(r *row) bool { return r.BytesIn%2 == 0 }
	for name, order := range orders {
		for _, descending := range []bool{false, true} {
			for _, keep := range []func(*row) bool{nil, even} {
				var want []row
				for _, r := range list {
					if keep == nil || keep(&r) {
						want = append(want, r)
					}
				}
				slices.SortFunc(want, func(a, b row) int {
					c := order(&a, &b)
					if descending {
						c = -c
					}
					return cmp.Or(c, strings.Compare(a.id, b.id))
				})
				for _, page := range []int{0, 1, 5, 11, 12, 13, maxPages - 1} {
					got, total := query{keep, order, descending, page}.run(list)
					first := min(page*pageSize, len(want))
					next := want[first:min(first+pageSize, len(want))]
					if total != len(want) || !slices.EqualFunc(got, next, func(a, b row) bool { return a.id == b.id }) {
						t.Fatalf("%s, descending %v, page %d: %d of %d, want %d of %d", name, descending, page, len(got), total, len(next), len(want))
					}
				}
			}
		}
	}
}

// The roster is shared by all viewers, and forgotten when nobody looks.
func TestRoster(t *testing.T) {
	made := 0
	r := newRoster(func(into []row) []row {
		made++
		return append(into, row{id: "a"}, row{id: "b"})
	})
	for range 100 {
		r.look(func(list []row) {
			if len(list) != 2 {
				t.Errorf("%d rows", len(list))
			}
		})
	}
	if made > 50 { // seconds may have passed
		t.Errorf("the list was made %d times", made)
	}
	r.forget(time.Now())
	if r.list == nil {
		t.Error("it was forgotten at once")
	}
	if r.forget(time.Now().Add(2 * rosterLife)); r.list != nil {
		t.Error("it is not forgotten")
	}
}

func TestKnows(t *testing.T) {
	d := New(Config{Hosts: []string{"ops.example.org", "ops:8080"}})
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "localhost.": true, "127.0.0.1": true, "127.0.0.1:9091": true, "[::1]:9091": true, "::1": true,
		"[fe80::1%25eth0]:80": true, "ops.example.org": true, "OPS.example.org:443": true, "ops:8080": true,
		"": false, "example.org": false, "ops.example.org.evil.example.com": false, "ops": false, "127.0.0.1.evil.example.com": false,
		"127.0.0.1@evil.example.com": false, "localhost@evil": false, "1.2.3.4.5": false, "0x7f000001": false,
	} {
		if got := d.knows(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// manySessions returns a peer with n sessions whose other ends do nothing.
func manySessions(b testing.TB, n int) *Dashboard {
	b.Helper()
	d := New(Config{})
	p := kit.Peer(b, erpc.PeerConfig{}, d)
	for i := range n {
		near, far := net.Pipe()
		b.Cleanup(func() { _ = far.Close() }) // it may be closed already
		sess, st := p.ServeConn(near)
		if !st.OK() {
			b.Fatal(st)
		}
		sess.SetID("session-" + strconv.Itoa(i))
	}
	return d
}

// sessionsOfBenchmarks is the number of sessions in the benchmarks.
func sessionsOfBenchmarks(b *testing.B) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("ERPC_DASHBOARD_SESSIONS"), "10000"))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkSample measures one sample of the history.
func BenchmarkSample(b *testing.B) {
	d := manySessions(b, sessionsOfBenchmarks(b))
	b.ReportAllocs()
	for b.Loop() {
		d.measure()
	}
}

// BenchmarkRoster measures making the list of all sessions.
func BenchmarkRoster(b *testing.B) {
	d := manySessions(b, sessionsOfBenchmarks(b))
	b.ReportAllocs()
	var list []row
	for b.Loop() {
		list = d.rows(list[:0])
	}
}

// BenchmarkPage measures a page of the sessions: the first, the last that can be
// asked for, and one of a filter that looks at all of them.
func BenchmarkPage(b *testing.B) {
	d := manySessions(b, sessionsOfBenchmarks(b))
	list := d.rows(nil)
	for name, q := range map[string]query{
		"first":    {order: orders["in"], descending: true},
		"last":     {order: orders["id"], page: maxPages - 1},
		"filtered": {order: orders["id"], keep: func(r *row) bool { return strings.Contains(strings.ToLower(r.sess.RemoteAddr().String()), "nobody") }},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q.run(list)
			}
		})
	}
}
