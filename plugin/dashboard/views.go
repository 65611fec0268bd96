package dashboard

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/stats"
)

// errGone says that there is no session of that id.
var errGone = refusal{http.StatusNotFound, "the session has ended"}

// overview is the answer of api/overview.
type overview struct {
	Host       string   `json:"host"`
	PID        int      `json:"pid"`
	Go         string   `json:"go"`
	CPUs       int      `json:"cpus"`
	Began      int64    `json:"began"` // milliseconds, as all times
	Now        int64    `json:"now"`
	Listeners  []string `json:"listeners"`
	Actions    bool     `json:"actions"`
	Level      string   `json:"level,omitempty"`
	Cluster    bool     `json:"cluster"`
	Total      totals   `json:"total"`
	Points     []point  `json:"points"`
	KeepMillis int64    `json:"keepMillis"`
}

// totals are counts since the peer was made.
type totals struct {
	Calls        uint64 `json:"calls"`
	Pushes       uint64 `json:"pushes"`
	Errors       uint64 `json:"errors"`
	Made         uint64 `json:"made"`
	Unknown      uint64 `json:"unknown"` // methods that nobody has registered
	BytesIn      uint64 `json:"bytesIn"`
	BytesOut     uint64 `json:"bytesOut"`
	MessagesIn   uint64 `json:"messagesIn"`
	MessagesOut  uint64 `json:"messagesOut"`
	Dropped      uint64 `json:"dropped"`
	Accepts      uint64 `json:"accepts"`
	AcceptErrors uint64 `json:"acceptErrors"`
	Refused      uint64 `json:"refused"`
	Dials        uint64 `json:"dials"`
	DialErrors   uint64 `json:"dialErrors"`
	Ended        int    `json:"ended"`
}

func totalsOf(s sample) totals {
	t := totals{
		Made: s.made(), Unknown: s.methods.HandledCalls[stats.Unknown].Ended + s.methods.HandledPushes[stats.Unknown].Ended,
		BytesIn: s.peer.BytesIn, BytesOut: s.peer.BytesOut, MessagesIn: s.peer.MessagesIn, MessagesOut: s.peer.MessagesOut,
		Dropped: s.peer.Dropped, Accepts: s.peer.Accepts, AcceptErrors: s.peer.AcceptErrors, Refused: s.peer.Refused,
		Dials: s.peer.Dials, DialErrors: s.peer.DialErrors, Ended: s.peer.Ended,
	}
	t.Calls, t.Pushes, t.Errors = s.handled()
	return t
}

// overview takes after, the time of the last point that the page has.
func (d *Dashboard) overview(r *http.Request) (any, error) {
	after, err := strconv.ParseInt(cmp.Or(r.FormValue("after"), "0"), 10, 64)
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "after is not a time in milliseconds"}
	}
	now := time.Now()
	o := &overview{
		PID: os.Getpid(), Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Began: d.began.UnixMilli(), Now: now.UnixMilli(),
		Listeners: []string{}, Actions: d.cfg.Actions, Cluster: d.cfg.Cluster != nil, KeepMillis: keep.Milliseconds(),
	}
	if o.Host, err = os.Hostname(); err != nil {
		o.Host = "unknown host" // it is only a title
	}
	for _, lis := range d.peer.Listeners() {
		o.Listeners = append(o.Listeners, lis.Addr().Network()+" "+lis.Addr().String())
	}
	if d.cfg.Level != nil {
		o.Level = d.cfg.Level.Level().String()
	}
	d.sampler.look(now, func(s sample, h *history, _ *trends) {
		o.Total, o.Points = totalsOf(s), h.after(after, now)
	})
	return o, nil
}

// methodRow is one of the answer of api/methods.
type methodRow struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Rate    float64   `json:"rate"`   // a second, in about the last minute
	Failing float64   `json:"errors"` // the same
	P50     int64     `json:"p50"`    // nanoseconds, of about the last minute; the bound of a bucket
	P99     int64     `json:"p99"`
	Mean    int64     `json:"mean"` // of all
	Open    uint64    `json:"open"` // begun and not ended
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

// slowView is the answer of api/slow.
type slowView struct {
	Running []slowCall `json:"running"` // the oldest first; Took is so far
	Slowest []slowCall `json:"slowest"`
}

type slowCall struct {
	Method string `json:"method"`
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Key    string `json:"key"` // "" if the session has ended
	Remote string `json:"remote"`
	At     int64  `json:"at"`
	Took   int64  `json:"took"` // nanoseconds
	Code   int32  `json:"code"`
	Text   string `json:"text"`
}

func (d *Dashboard) slow(*http.Request) (any, error) {
	v := slowView{Running: []slowCall{}, Slowest: []slowCall{}}
	for _, c := range d.stats.Running() {
		v.Running = append(v.Running, slowCall{
			Method: c.Method, Kind: c.Kind.String(), ID: c.Session, Key: d.liveKey(c.Session), Remote: clip(c.Remote), At: c.Begin.UnixMilli(),
			Took: int64(time.Since(c.Begin)),
		})
	}
	for _, c := range d.stats.Slowest() {
		v.Slowest = append(v.Slowest, slowCall{
			Method: c.Method, Kind: c.Kind.String(), ID: c.Session, Key: d.liveKey(c.Session), Remote: clip(c.Remote), At: c.Begin.UnixMilli(),
			Took: int64(c.Took), Code: c.Code, Text: erpc.CodeText(c.Code),
		})
	}
	return v, nil
}

// liveKey returns the key of a session, "" if it has ended.
func (d *Dashboard) liveKey(id string) string {
	if _, ok := d.peer.GetSession(id); !ok {
		return ""
	}
	return keyOf(id)
}

// sessionRow is one of a page of sessions.
type sessionRow struct {
	ID       string `json:"id"`
	Key      string `json:"key"` // names the session in requests; "" if its id is too long
	User     string `json:"user"`
	Remote   string `json:"remote"`
	Protocol string `json:"protocol"`
	Dialed   bool   `json:"dialed"`
	Began    int64  `json:"began"`
	figures
}

func (d *Dashboard) sessionRow(r row) sessionRow {
	s := sessionRow{
		ID: clip(r.id), Key: keyOf(r.id), User: clip(d.user(r.sess)), Remote: clip(r.sess.RemoteAddr().String()),
		Protocol: r.protocol, Dialed: r.dialed, figures: r.figures,
	}
	if !r.began.IsZero() {
		s.Began = r.began.UnixMilli()
	}
	return s
}

// user names whose session it is: see Config.User.
func (d *Dashboard) user(sess erpc.Session) string {
	if d.cfg.User != nil {
		return d.cfg.User(sess)
	}
	if d.cfg.Cluster != nil {
		if user := d.cfg.Cluster.User(sess); user != "" {
			return user
		}
	}
	if who := auth.IdentityOf(sess); who != nil {
		return who.Name
	}
	return ""
}

// sessionPage is the answer of api/sessions.
type sessionPage struct {
	Total    int          `json:"total"` // that the filter keeps
	Page     int          `json:"page"`
	Pages    int          `json:"pages"` // that can be asked for
	Sessions []sessionRow `json:"sessions"`
}

// list takes filter, sort, desc and page.
func (d *Dashboard) list(r *http.Request) (any, error) {
	q := query{order: orders[cmp.Or(r.FormValue("sort"), "id")], descending: r.FormValue("desc") != ""}
	if q.order == nil {
		return nil, refusal{http.StatusBadRequest, "sort is not a column of sessions"}
	}
	var err error
	q.page, err = strconv.Atoi(cmp.Or(r.FormValue("page"), "0"))
	if err != nil || q.page < 0 || q.page >= maxPages {
		return nil, refusal{http.StatusBadRequest, fmt.Sprintf("page is not a number below %d", maxPages)}
	}
	if filter := strings.ToLower(r.FormValue("filter")); filter != "" {
		q.keep = func(r *row) bool {
			return strings.Contains(strings.ToLower(r.id), filter) ||
				strings.Contains(strings.ToLower(r.sess.RemoteAddr().String()), filter) ||
				strings.Contains(strings.ToLower(d.user(r.sess)), filter)
		}
	}
	p := sessionPage{Page: q.page, Sessions: []sessionRow{}}
	var rows []row
	d.roster.look(func(list []row) { rows, p.Total = q.run(list) })
	p.Pages = min(maxPages, (p.Total+pageSize-1)/pageSize)
	for _, r := range rows {
		p.Sessions = append(p.Sessions, d.sessionRow(r))
	}
	return p, nil
}

// sessionView is the answer of api/session.
type sessionView struct {
	sessionRow
	Local     string   `json:"local"`
	Connected bool     `json:"connected"`
	Age       int64    `json:"age"`     // milliseconds, as the next; 0 is no limit
	Context   int64    `json:"context"` //
	Groups    []string `json:"groups"`
	Rooms     []string `json:"rooms"`
}

// one takes key.
func (d *Dashboard) one(r *http.Request) (any, error) {
	sess, err := d.find(r.FormValue("key"))
	if err != nil {
		return nil, err
	}
	v := sessionView{
		sessionRow: d.sessionRow(row{sess, sess.ID(), d.sessions.of(sess), figuresOf(sess)}),
		Local:      sess.LocalAddr().String(), Connected: sess.Connected(),
		Age: sess.SessionAge().Milliseconds(), Context: sess.ContextAge().Milliseconds(),
		Groups: clipped(d.peer.Groups(sess)), Rooms: []string{},
	}
	if d.cfg.Cluster != nil {
		v.Rooms = clipped(d.cfg.Cluster.Rooms(sess))
	}
	return v, nil
}

// find returns the session that a key names.
func (d *Dashboard) find(key string) (erpc.Session, error) {
	id, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || key == "" {
		return nil, refusal{http.StatusBadRequest, "key is not that of a session"}
	}
	sess, ok := d.peer.GetSession(string(id))
	if !ok {
		return nil, errGone
	}
	return sess, nil
}

// clipped returns names that are shown, at most a page of them.
func clipped(names []string) []string {
	list := []string{}
	for _, name := range names[:min(len(names), pageSize)] {
		list = append(list, clip(name))
	}
	return list
}

// A refusal is an error that is told to the viewer.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return "dashboard: " + r.text }

// told returns the status and the text that the viewer gets of an error.
func told(err error) (status int, text string) {
	var r refusal
	if errors.As(err, &r) {
		return r.status, r.text
	}
	return http.StatusInternalServerError, "something went wrong; the log of the peer says more"
}
