package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
)

// A refusal is an error whose text is shown to the viewer.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return "dashboard: " + r.text }

// told returns the HTTP status and the text that the viewer gets for an error.
func told(err error) (status int, text string) {
	var r refusal
	if errors.As(err, &r) {
		return r.status, r.text
	}
	return http.StatusInternalServerError, "something went wrong; see the log of the peer"
}

func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // can't happen: all answers can be encoded
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer can't be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // fails only when the viewer is gone
}

func answerError(w http.ResponseWriter, status int, text string) {
	answer(w, status, struct {
		Error string `json:"error"`
	}{text})
}
