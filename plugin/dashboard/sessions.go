package dashboard

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// sessionRow is a row of a page of sessions.
type sessionRow struct {
	ID       string `json:"id"`
	Key      string `json:"key"` // identifies the session in requests; "" if its id is too long
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

// user returns the user of a session; see Config.User.
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
	Total    int          `json:"total"` // rows that the filter keeps
	Page     int          `json:"page"`
	Pages    int          `json:"pages"` // pages that can be requested
	Sessions []sessionRow `json:"sessions"`
}

// list serves api/sessions, with the parameters filter, sort, desc and page.
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
	Age       int64    `json:"age"`     // milliseconds, like Context; 0 means no limit
	Context   int64    `json:"context"` //
	Groups    []string `json:"groups"`
	Rooms     []string `json:"rooms"`
}

// one serves api/session, with the parameter key.
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

// errGone means that there is no session with that id.
var errGone = refusal{http.StatusNotFound, "the session has ended"}

// find returns the session that a key identifies.
func (d *Dashboard) find(key string) (erpc.Session, error) {
	id, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || key == "" {
		return nil, refusal{http.StatusBadRequest, "key is not a session key"}
	}
	sess, ok := d.peer.GetSession(string(id))
	if !ok {
		return nil, errGone
	}
	return sess, nil
}

// clipped shortens names for display, and returns at most one page of them.
func clipped(names []string) []string {
	list := []string{}
	for _, name := range names[:min(len(names), pageSize)] {
		list = append(list, clip(name))
	}
	return list
}
