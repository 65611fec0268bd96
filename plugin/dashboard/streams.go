package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/goerpc/erpc/plugin/stats"
)

// streamView is the answer of api/streams.
type streamView struct {
	Open     int          `json:"open"`
	Methods  []methodRow  `json:"methods"`  // methods with stream handlers
	Sessions []sessionRow `json:"sessions"` // those with the most streams
}

func (d *Dashboard) streams(*http.Request) (any, error) {
	v := streamView{Methods: []methodRow{}, Sessions: []sessionRow{}}
	d.sampler.look(time.Now(), func(s sample, _ *history, t *trends) {
		v.Open = s.peer.Streams
		each(s.methods, func(key methodKey, c stats.Method) {
			if key.kind == kindStream {
				v.Methods = append(v.Methods, methodOf(key, c, s, t))
			}
		})
	})
	slices.SortFunc(v.Methods, func(a, b methodRow) int { return cmp.Compare(a.Name, b.Name) })
	q := query{order: orders["streams"], descending: true, keep: func(r *row) bool { return r.Streams > 0 }}
	var rows []row
	d.roster.look(func(list []row) { rows, _ = q.run(list) })
	for _, r := range rows {
		v.Sessions = append(v.Sessions, d.sessionRow(r))
	}
	return v, nil
}
