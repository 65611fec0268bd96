package websocket

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// TestReasonsOfFrames: a reason is read from a close frame as it was given, as far as
// it fits.
func TestReasonsOfFrames(t *testing.T) {
	long := strings.Repeat("ü", 200)
	for _, c := range []struct {
		given reason
		code  websocket.StatusCode
		text  string
		back  reason
	}{
		{reason{401, "log in", false}, 4401, "log in", reason{401, "log in", false}},
		{reason{999, "", false}, 4999, "", reason{999, "", false}},
		{reason{1, "x", false}, 4001, "x", reason{1, "x", false}},
		{reason{1009, "kicked out", false}, 4000, "1009 kicked out", reason{1009, "kicked out", false}},
		{reason{-1, "", false}, 4000, "-1 ", reason{-1, "", false}},
		{reason{0, "0", false}, 4000, "0 0", reason{102, "0 0", false}},
		{reason{503, "later", true}, 1012, "503 later", reason{503, "later", true}},
		{reason{401, long, false}, 4401, long[:122], reason{401, long[:122], false}},
		{reason{401, "a\xffb", false}, 4401, "ab", reason{401, "ab", false}},
	} {
		code, text := c.given.frame()
		if code != c.code || text != c.text || len(text) > maxReason || !utf8.ValidString(text) {
			t.Errorf("%+v: %d %q, want %d %q", c.given, code, text, c.code, c.text)
		}
		back := closedBy(fmt.Errorf("read: %w", websocket.CloseError{Code: code, Reason: text}))
		if back == nil || (reason{back.Code, back.Text, back.Reconnect}) != c.back {
			t.Errorf("%d %q is read as %+v, want %+v", code, text, back, c.back)
		}
	}
}

// TestReasonsOfOthers: close frames of pages and of other servers are understood.
func TestReasonsOfOthers(t *testing.T) {
	for _, c := range []struct {
		code websocket.StatusCode
		text string
		want *ClosedError
	}{
		{websocket.StatusNormalClosure, "", nil},
		{websocket.StatusGoingAway, "", nil},
		{websocket.StatusNormalClosure, "bye", &ClosedError{102, "bye", true}},
		{websocket.StatusGoingAway, "bye", &ClosedError{102, "bye", true}},
		{3001, "game over", &ClosedError{3001, "game over", true}},
		{websocket.StatusServiceRestart, "", &ClosedError{102, "", true}},
		{websocket.StatusServiceRestart, "upgrade", &ClosedError{102, "upgrade", true}},
		{4000, "", &ClosedError{102, "", false}},
		{websocket.StatusProtocolError, "you", nil},
		{websocket.StatusInternalError, "oops", nil},
		{websocket.StatusPolicyViolation, "no", nil},
	} {
		got := closedBy(websocket.CloseError{Code: c.code, Reason: c.text})
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%d %q: %+v, want %+v", c.code, c.text, got, c.want)
		}
	}
	if closedBy(io.EOF) != nil || closedBy(errors.New("x")) != nil || closedBy(nil) != nil {
		t.Error("an end without a frame has a reason")
	}
}
