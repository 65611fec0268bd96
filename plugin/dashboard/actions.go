package dashboard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// fine is the answer of an action without a result.
var fine = struct {
	OK bool `json:"ok"`
}{true}

// decode decodes the JSON argument of an action.
func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return refusal{http.StatusRequestEntityTooLarge, "the request is larger than 1 MiB"}
		}
		return refusal{http.StatusBadRequest, "the request is not the JSON that the action expects"}
	}
	return nil
}

// say logs an action and the address of the viewer.
func (d *Dashboard) say(r *http.Request, action string, args ...any) {
	d.log().Info("dashboard: "+action, append([]any{"by", r.RemoteAddr}, args...)...)
}

// kickText is the reason if the viewer gives none.
const kickText = "an operator has ended the session"

// kick ends a session. The other side is asked not to come back.
func (d *Dashboard) kick(r *http.Request) (any, error) {
	var arg struct {
		Key    string `json:"key"`
		Reason string `json:"reason"`
	}
	if err := decode(r, &arg); err != nil {
		return nil, err
	}
	sess, err := d.find(arg.Key)
	if err != nil {
		return nil, err
	}
	reason := clip(cmp.Or(arg.Reason, kickText))
	d.say(r, "session ended", "session", sess.ID(), "reason", reason)
	endWith(sess, erpc.CodeUnauthorized, reason, false)
	return fine, nil
}

// endWith ends a session and ignores errors of its connection.
func endWith(sess erpc.Session, code int32, reason string, reconnect bool) {
	_ = sess.CloseWith(erpc.NewStatus(code, erpc.CodeText(code), reason), reconnect) // an error means that the connection is broken anyway
}

// push sends a PUSH with a body of JSON to a session.
func (d *Dashboard) push(r *http.Request) (any, error) {
	var arg struct {
		Key    string          `json:"key"`
		Method string          `json:"method"`
		Body   json.RawMessage `json:"body"`
	}
	if err := decode(r, &arg); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(arg.Method, "/") {
		return nil, refusal{http.StatusBadRequest, "the method must begin with a slash"}
	}
	sess, err := d.find(arg.Key)
	if err != nil {
		return nil, err
	}
	d.say(r, "push", "session", sess.ID(), "method", clip(arg.Method), "bytes", len(arg.Body))
	st := sess.Push(arg.Method, []byte(arg.Body), erpc.WithBodyCodec(codec.ID_JSON))
	return resultOf(st, nil), nil
}

// callResult is the answer of a call or push.
type callResult struct {
	Code  int32  `json:"code"`
	Msg   string `json:"msg"`
	Cause string `json:"cause"`
	Body  string `json:"body"`
}

func resultOf(st *erpc.Status, body []byte) callResult {
	v := callResult{Body: string(body)}
	if !st.OK() {
		v.Code, v.Msg = st.Code(), st.Msg()
		if st.Cause() != nil {
			v.Cause = st.Cause().Error()
		}
	}
	return v
}

// call calls a method of this peer as an HTTP client does, so that hooks and
// limits apply and see the viewer's address. It sends Token as a bearer token.
func (d *Dashboard) call(r *http.Request) (any, error) {
	var arg struct {
		Method string            `json:"method"`
		Kind   string            `json:"kind"`
		Body   json.RawMessage   `json:"body"`
		Token  string            `json:"token"`
		Meta   map[string]string `json:"meta"`
	}
	if err := decode(r, &arg); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(arg.Method, "/") || arg.Kind != kindCall && arg.Kind != kindPush || d.isStream(arg.Method) {
		return nil, refusal{http.StatusBadRequest, "the method must begin with a slash and must not be a stream"}
	}
	inner, err := http.NewRequestWithContext(r.Context(), http.MethodPost, (&url.URL{Scheme: "http", Host: "localhost", Path: arg.Method}).String(), bytes.NewReader(arg.Body))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "the method is not a valid request path"}
	}
	inner.RequestURI, inner.RemoteAddr, inner.TLS = inner.URL.RequestURI(), r.RemoteAddr, r.TLS
	for key, value := range arg.Meta {
		inner.Header.Set(key, value)
	}
	inner.Header.Set("Content-Type", "application/json")
	if arg.Kind == kindPush {
		inner.Header.Set("X-Mtype", strconv.Itoa(int(erpc.TypePush)))
	}
	if arg.Token != "" {
		inner.Header.Set("Authorization", "Bearer "+arg.Token)
	}
	d.say(r, "call", "method", clip(arg.Method), "kind", arg.Kind, "bytes", len(arg.Body))
	var rec recorder
	d.gate.ServeHTTP(&rec, inner)
	return rec.result(), nil
}

// maxShown is how much of a result is shown, in bytes.
const maxShown = 1 << 20

// A recorder is an http.ResponseWriter that keeps the beginning of a response.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (w *recorder) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	room := maxShown - w.body.Len()
	if room < len(b) {
		w.cut = true
	}
	w.body.Write(b[:min(room, len(b))]) // never fails
	return len(b), nil
}

// result returns the recorded response. A failure has a status as JSON.
func (w *recorder) result() callResult {
	body := w.body.String()
	if w.cut {
		body += "…"
	}
	if w.status < http.StatusBadRequest {
		return callResult{Body: body}
	}
	v := callResult{Code: int32(w.status), Msg: http.StatusText(w.status), Cause: body}
	var st struct {
		Code  *int32 `json:"code"`
		Msg   string `json:"msg"`
		Cause string `json:"cause"`
	}
	if err := json.Unmarshal(w.body.Bytes(), &st); err == nil && st.Code != nil {
		v = callResult{Code: *st.Code, Msg: st.Msg, Cause: st.Cause}
	}
	return v
}

// level sets the level of the log.
func (d *Dashboard) level(r *http.Request) (any, error) {
	var arg struct {
		Level string `json:"level"`
	}
	if err := decode(r, &arg); err != nil {
		return nil, err
	}
	if d.cfg.Level == nil {
		return nil, refusal{http.StatusNotFound, "Config.Level is not set"}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(arg.Level)); err != nil {
		return nil, refusal{http.StatusBadRequest, "the level must be DEBUG, INFO, WARN or ERROR, or one of these with an offset"}
	}
	was := d.cfg.Level.Level()
	d.cfg.Level.Set(level)
	d.log().Warn("dashboard: level of the log", "by", r.RemoteAddr, "from", was, "to", level)
	return fine, nil
}
