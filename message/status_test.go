package message

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func same(a, b *Status) bool {
	text := func(err error) string {
		if err == nil {
			return "<none>"
		}
		return err.Error()
	}
	return a.Code() == b.Code() && a.Msg() == b.Msg() && text(a.Cause()) == text(b.Cause())
}

func TestStatusOverTheWire(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, c := range []struct {
		st    *Status
		query string
	}{
		{nil, "code=0"},
		{NewStatus(0, ""), "code=0"},
		{NewStatus(1001, "bad thing", "cause & x=1 100%"), "code=1001&msg=bad%20thing&cause=cause%20%26%20x%3D1%20100%25"},
		{NewStatus(1002, "no cause"), "code=1002&msg=no%20cause"},
		{NewStatus(404, "Not Found", ""), "code=404&msg=Not%20Found&cause="},
		{NewStatus(-1, ""), "code=-1"},
		{NewStatus(-1<<31, "~/+"), "code=-2147483648&msg=%7E%2F%2B"},
		{NewStatus(1<<31-1, string(every), io.EOF), ""},
		{NewStatus(0, "fine"), "code=0&msg=fine"},
	} {
		query := c.st.AppendQuery([]byte("x"))
		if query = query[1:]; c.query != "" && string(query) != c.query {
			t.Errorf("%v is written %s, want %s", c.st, query, c.query)
		}
		back, err := ParseStatus(query)
		if err != nil || !same(back, c.st) {
			t.Errorf("%v came back as %v, %v", c.st, back, err)
		}
		if (back == nil) != (c.st == nil || same(c.st, nil)) {
			t.Errorf("%v came back nil: %v", c.st, back == nil)
		}
	}
}

func TestParseStatusLoosely(t *testing.T) {
	for query, want := range map[string]*Status{
		"":                                nil,
		"code=0":                          nil,
		"cause=c&msg=m&code=7":            NewStatus(7, "m", "c"),
		"code=7&msg=a+b&other=1&&":        NewStatus(7, "a b"),
		"code=7&msg=a&msg=b":              NewStatus(7, "b"),
		"code=7&cause=%e4%BD%a0":          NewStatus(7, "", "你"),
		"msg=" + strings.Repeat("x", 300): NewStatus(0, strings.Repeat("x", 300)),
	} {
		if got, err := ParseStatus([]byte(query)); err != nil || !same(got, want) {
			t.Errorf("%q: %v, %v; want %v", query, got, err, want)
		}
	}
	for _, query := range []string{"code=", "code", "code=x", "code=1e3", "code=2147483648", "code=-2147483649", "code=0x10", "code=1&code=y"} {
		if got, err := ParseStatus([]byte(query)); err == nil || got != nil || !strings.HasPrefix(err.Error(), "message: bad status") {
			t.Errorf("%q: %v, %v; want an error", query, got, err)
		}
	}
	query := []byte("code=7&msg=mm&cause=cc")
	st, err := ParseStatus(query)
	if err != nil {
		t.Fatal(err)
	}
	clear(query)
	if !same(st, NewStatus(7, "mm", "cc")) {
		t.Errorf("the status kept the text it was read from: %v", st)
	}
}

func TestStatusJSON(t *testing.T) {
	for _, c := range []struct {
		st   *Status
		text string
	}{
		{NewStatus(1001, "bad thing", "cause & x=1 100%"), `{"code":1001,"msg":"bad thing","cause":"cause & x=1 100%"}`},
		{NewStatus(5, ""), `{"code":5,"msg":"","cause":""}`},
		{nil, `{"code":0,"msg":"","cause":""}`},
	} {
		b, err := c.st.MarshalJSON()
		if err != nil || string(b) != c.text {
			t.Errorf("%v: %s, %v; want %s", c.st, b, err, c.text)
		}
		back := NewStatus(9, "old", "old")
		if err := json.Unmarshal(b, back); err != nil || !same(back, c.st) {
			t.Errorf("%v came back as %v, %v", c.st, back, err)
		}
	}
	escaped, err := json.Marshal(NewStatus(5, "<b>"))
	if want := `{"code":5,"msg":"\u003cb\u003e","cause":""}`; err != nil || string(escaped) != want {
		t.Errorf("%s, %v; want %s", escaped, err, want)
	}
	var st Status
	if err := json.Unmarshal([]byte(`{"code":"x"}`), &st); err == nil {
		t.Error("read a code that is not a number")
	}
}

func TestNilStatusIsSuccess(t *testing.T) {
	var st *Status
	if !st.OK() || st.Code() != CodeOK || st.Msg() != "" || st.Cause() != nil || st.Err() != nil || st.Copy("x") != nil {
		t.Error("a nil status is not a success")
	}
	if got := fmt.Sprintf("%v %+v %s %d", st, st, st, st); got != "code=0 code=0 code=0 code=0" {
		t.Errorf("printed %q", got)
	}
	if IsConnError(st) || FromError(nil) != nil {
		t.Error("nil is not a failure")
	}
	if s := NewStatus(0, "done"); !s.OK() || s.Err() != nil {
		t.Error("code 0 must be success whatever the message")
	}
}

type flawed struct{ text string }

func (f *flawed) Error() string { return f.text }

// The text around a status stays with it in this program, and does not travel.
func TestErrorAroundAStatus(t *testing.T) {
	st := NewStatus(1001, "no such account", "id 7")
	outer := fmt.Errorf("order 7: %w", st.Err())
	hidden := NewStatus(1002, "not charged", "10.1.2.3").HideCause()
	for _, c := range []struct {
		what   string
		err    error
		code   int32
		around string // "" is none
	}{
		{"the status", st.Err(), 1001, ""},
		{"joined with nothing", errors.Join(st.Err(), nil), 1001, ""},
		{"wrapped", outer, 1001, "order 7: status 1001 no such account: id 7"},
		{"wrapped twice", fmt.Errorf("shop: %w", outer), 1001, "shop: order 7: status 1001 no such account: id 7"},
		{"wrapped again as a status", fmt.Errorf("shop: %w", FromError(outer).Err()), 1001,
			"shop: status 1001 no such account: id 7 (order 7: status 1001 no such account: id 7)"},
		{"joined", errors.Join(io.EOF, st.Err()), 1001, "EOF\nstatus 1001 no such account: id 7"},
		{"hidden", fmt.Errorf("order 7: %w", hidden.Err()), 1002, "order 7: status 1002 not charged: 10.1.2.3"},
		{"success", fmt.Errorf("order 7: %w", &StatusError{NewStatus(CodeOK, "fine")}), CodeOK, ""},
		{"no status", fmt.Errorf("order 7: %w", &StatusError{}), CodeOK, ""},
		{"another error", io.EOF, CodeUnknownError, ""},
	} {
		got := FromError(c.err)
		text := ""
		if got.Around() != nil {
			text = got.Around().Error()
		}
		if got.Code() != c.code || text != c.around {
			t.Errorf("%s: %v, around it %q, want %q", c.what, got, text, c.around)
		}
		if shown := got.LogValue().String(); c.around != "" && (!strings.Contains(got.String(), fmt.Sprintf("err=%q", c.around)) || !strings.Contains(shown, "err="+c.around)) {
			t.Errorf("%s: shown as %v and logged as %s", c.what, got, shown)
		}
		if sent := string(got.AppendQuery(nil)); strings.Contains(sent, "order") || strings.Contains(sent, "EOF") && c.code != CodeUnknownError {
			t.Errorf("%s: sent as %s", c.what, sent)
		}
		if b, err := got.MarshalJSON(); err != nil || strings.Contains(string(b), "order") {
			t.Errorf("%s: %s, %v", c.what, b, err)
		}
	}
	if st.Around() != nil || (*Status)(nil).Around() != nil {
		t.Error("the wrapped status was changed")
	}
	found := FromError(fmt.Errorf("order 7: %w", hidden.Err()))
	if !found.CauseHidden() || found.Copy().Around() == nil || found.Copy("x").Around() == nil {
		t.Errorf("a copy of %v has lost something", found)
	}
	if found.SetCause("other").Around() != nil || hidden.Cause().Error() != "10.1.2.3" {
		t.Errorf("another cause leaves %v and %v", found, hidden)
	}
}

func TestStatusAsError(t *testing.T) {
	cause := &flawed{"disk full"}
	st := NewStatus(1001, "cannot save", fmt.Errorf("save: %w", cause))
	err := fmt.Errorf("while calling: %w", st.Err())
	var se *StatusError
	if !errors.As(err, &se) || se.Status != st {
		t.Errorf("the status is not found in %v", err)
	}
	var fl *flawed
	if !errors.As(err, &fl) || fl != cause || !errors.Is(err, cause) {
		t.Errorf("the cause is not found in %v", err)
	}
	if got := st.Err().Error(); got != "status 1001 cannot save: save: disk full" {
		t.Errorf("text %q", got)
	}
	if got := FromError(st.Err()); got != st {
		t.Errorf("FromError gives %v", got)
	}
	if got := FromError(err); got.Code() != st.Code() || got.Msg() != st.Msg() || got.Cause() != st.Cause() || got.Around() != err {
		t.Errorf("FromError gives %v", got)
	}
	if got := FromError(io.EOF); got.Code() != CodeUnknownError || got.Cause() != io.EOF || got.Msg() != "Unknown Error" {
		t.Errorf("FromError of another error gives %v", got)
	}
	for st, want := range map[*Status]string{
		NewStatus(7, ""):                    "status 7",
		NewStatus(7, "", "c"):               "status 7: c",
		NewStatusByCodeText(404, "", false): "status 404 Not Found",
	} {
		if got := st.Err().Error(); got != want {
			t.Errorf("text %q, want %q", got, want)
		}
	}
	if got := (&StatusError{}).Error(); got != "status 0" || errors.Unwrap(&StatusError{}) != nil {
		t.Errorf("the zero error says %q", got)
	}
}

func TestStatusCauses(t *testing.T) {
	inner := NewStatus(3, "inner", "deep")
	for _, c := range []struct {
		cause any
		want  string
	}{
		{io.EOF, "EOF"},
		{"text", "text"},
		{42, "42"},
		{inner, "status 3 inner: deep"},
	} {
		for _, st := range []*Status{NewStatus(1, "m", c.cause), NewStatus(1, "m").SetCause(c.cause), NewStatusByCodeText(1, c.cause, false)} {
			if st.Cause() == nil || st.Cause().Error() != c.want {
				t.Errorf("cause %v became %v", c.cause, st.Cause())
			}
		}
	}
	for _, none := range []any{nil, (*Status)(nil), NewStatus(0, "fine")} {
		if st := NewStatus(1, "m", none); st.Cause() != nil {
			t.Errorf("cause %v became %v", none, st.Cause())
		}
	}
	st := NewStatus(1, "a", "b")
	cp := st.Copy()
	cp.SetCode(2).SetMsg("c").SetCause("d")
	if !same(st, NewStatus(1, "a", "b")) || !same(cp, NewStatus(2, "c", "d")) {
		t.Errorf("after changing a copy: %v and %v", st, cp)
	}
	if cp := st.Copy("new"); !same(cp, NewStatus(1, "a", "new")) {
		t.Errorf("copy with a cause: %v", cp)
	}
	if cp := st.Copy(nil); cp.Cause() != nil {
		t.Errorf("copy without the cause: %v", cp)
	}
}

func TestStatusStack(t *testing.T) {
	for _, st := range []*Status{NewStatusWithStack(1, "m", "c"), NewStatusByCodeText(1, nil, true)} {
		long := fmt.Sprintf("%+v", st)
		if first, rest, _ := strings.Cut(long, "\n"); first != st.String() || !strings.Contains(rest, "TestStatusStack") || !strings.Contains(rest, "status_test.go:") {
			t.Errorf("%%+v printed %s", long)
		}
		if strings.Contains(long, "NewStatus") || strings.Contains(long, "message.callers") {
			t.Errorf("the stack begins in this package: %s", long)
		}
		if short := fmt.Sprintf("%v", st); short != st.String() {
			t.Errorf("%%v printed %s", short)
		}
		if q := string(st.AppendQuery(nil)); strings.Contains(q, "go") {
			t.Errorf("the stack is sent: %s", q)
		}
		if cp := fmt.Sprintf("%+v", st.Copy()); cp != long {
			t.Error("a copy lost the stack")
		}
	}
	if st := NewStatus(1, `say "hi"`, "line\nbreak"); fmt.Sprintf("%+v", st) != `code=1 msg="say \"hi\"" cause="line\nbreak"` {
		t.Errorf("printed %+v", st)
	}
}

func TestCodeTexts(t *testing.T) {
	for code, want := range map[int32]string{
		-1: "Unknown Error", 0: "", 1: "Invalid Operation", 100: "Wrong Connection", 102: "Connection Closed",
		104: "Write Failed", 105: "Dial Failed", 400: "Bad Message", 401: "Unauthorized", 404: "Not Found",
		405: "Message Type Not Allowed", 408: "Handle Timeout", 413: "Message Too Large", 429: "Exhausted",
		499: "Canceled", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Shutting Down", 77: "Unknown Error",
	} {
		if got := CodeText(code); got != want {
			t.Errorf("code %d is %q, want %q", code, got, want)
		}
		conn := code == CodeConnClosed || code == CodeDialFailed
		if IsConnError(NewStatus(code, "")) != conn {
			t.Errorf("code %d: a connection error is %v", code, !conn)
		}
	}
}

// FuzzParseStatus: any text gives a status or an error, and a status survives
// writing and parsing.
func FuzzParseStatus(f *testing.F) {
	for _, s := range []string{"", "code=0", "code=404&msg=Not%20Found&cause=", "cause=%&code=-1", "code=1&code=x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		st, err := ParseStatus(query)
		if err != nil {
			if st != nil {
				t.Errorf("%q: both %v and %v", query, st, err)
			}
			return
		}
		back, err := ParseStatus(st.AppendQuery(nil))
		if err != nil || !same(back, st) {
			t.Errorf("%q reads as %v, which comes back as %v, %v", query, st, back, err)
		}
	})
}

// TestStatusErrorIsAContextError: the side that noticed has the error of the
// context as its cause, the other one has only its text.
func TestStatusErrorIsAContextError(t *testing.T) {
	for _, c := range []struct {
		code     int32
		cause    any
		late     bool
		canceled bool
	}{
		{CodeHandleTimeout, context.DeadlineExceeded, true, false},
		{CodeHandleTimeout, "context deadline exceeded", true, false},
		{CodeCanceled, context.Canceled, false, true},
		{CodeCanceled, "", false, true},
		{CodeExhausted, "", false, false},
	} {
		err := NewStatusByCodeText(c.code, c.cause, false).Err()
		if errors.Is(err, context.DeadlineExceeded) != c.late || errors.Is(err, context.Canceled) != c.canceled {
			t.Errorf("%v: late %v, canceled %v", err, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled))
		}
	}
}
