package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"

	"github.com/andeya/erpc/v7"
)

// reporter writes whole lines to stdout. It may be used concurrently.
type reporter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// line writes v as one JSON line.
func (r *reporter) line(v any) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // so that metadata stays readable
	if err := e.Encode(v); err != nil {
		r.text(fmt.Sprintf(`{"error":%q}`, err.Error()))
		return
	}
	r.text(strings.TrimSuffix(b.String(), "\n"))
}

// text writes the line. The parent process may be gone already; then there is
// nobody left to tell about the failed write.
func (r *reporter) text(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.w, line)
}

// statusLine is a status of v7 as the report shows it.
type statusLine struct {
	Code  int32  `json:"code"`
	Msg   string `json:"msg,omitempty"`
	Cause string `json:"cause,omitempty"`
}

// newStatusLine reads the status in the form that goes over the wire: asked for
// the cause of a status without one, v7 answers with the message.
func newStatusLine(s *erpc.Status) *statusLine {
	if s.OK() {
		return &statusLine{}
	}
	line := &statusLine{Code: s.Code(), Msg: s.Msg()}
	fields, err := url.ParseQuery(s.QueryString())
	if err != nil {
		line.Cause = "v7peer: unreadable status " + s.QueryString()
		return line
	}
	line.Cause = fields.Get("cause")
	return line
}

// checkLine reports one check of "v7peer call".
type checkLine struct {
	Check  string      `json:"check"`
	OK     bool        `json:"ok"`
	Got    any         `json:"got,omitempty"`
	Status *statusLine `json:"status,omitempty"`
	Error  string      `json:"error,omitempty"`
}

// pushLine reports a PUSH that arrived.
type pushLine struct {
	Push string `json:"push"`
	Body string `json:"body"`
	Meta string `json:"meta"`
}

// heartbeatLine reports a heartbeat that arrived: Type is "CALL" or "PUSH",
// Rate is the text of the seconds in its metadata.
type heartbeatLine struct {
	Heartbeat string `json:"heartbeat"`
	Rate      string `json:"rate"`
}
