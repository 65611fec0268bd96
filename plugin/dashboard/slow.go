package dashboard

import (
	"net/http"
	"time"

	"github.com/goerpc/erpc"
)

// slowView is the answer of api/slow.
type slowView struct {
	Running []slowCall `json:"running"` // oldest first; Took is the time so far
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

// liveKey returns the key of a session, or "" if it has ended.
func (d *Dashboard) liveKey(id string) string {
	if _, ok := d.peer.GetSession(id); !ok {
		return ""
	}
	return keyOf(id)
}
