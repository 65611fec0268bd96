package session

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goerpc/erpc/message"
)

// FuzzNamesSeq: a mark names one number at most, and only in the form that this
// package writes, perhaps with more behind a space.
func FuzzNamesSeq(f *testing.F) {
	for _, v := range []string{"", "1", "16777216", "16777216 later", "-1", "+1", "0", "2147483648", "4294967297", " 1", "1 ", "0x10", "1_000"} {
		f.Add([]byte(v), int32(1))
	}
	f.Fuzz(func(t *testing.T, value []byte, seq int32) {
		if seq > 0 {
			if !namesSeq([]byte(seqText(seq)), seq) || !namesSeq([]byte(seqText(seq)+" x"), seq) {
				t.Errorf("%d is not named by its own text", seq)
			}
		}
		if !namesSeq(value, seq) {
			return
		}
		if seq <= 0 || len(value) > 64 {
			t.Errorf("%q names %d", value, seq)
		}
		digits, _, _ := strings.Cut(string(value), " ")
		if n, err := strconv.Atoi(digits); err != nil || n != int(seq) {
			t.Errorf("%q names %d", value, seq)
		}
		if seq < 1<<31-1 && namesSeq(value, seq+1) {
			t.Errorf("%q names two numbers", value)
		}
	})
}

// FuzzParseEnd: every closing that is accepted is bounded, and one that this side
// writes is parsed back unchanged.
func FuzzParseEnd(f *testing.F) {
	for _, v := range []string{"", "1 102 why", "0 503 ", "1 0 ok", "2 102 x", "1  x", "1 99999999999 x", "1 -5 x", "1 102 a b c"} {
		f.Add(v, int32(102), "msg", "cause", true)
	}
	f.Fuzz(func(t *testing.T, v string, code int32, msg, cause string, reconnect bool) {
		if e, ok := parseEnd(v); ok {
			if e.Status.OK() || len(e.Status.Msg()) > maxEndText || e.Error() == "" || e.Unwrap() == nil {
				t.Errorf("%q is %v", v, e)
			}
		}
		st := message.NewStatus(code, msg, cause)
		if st.OK() {
			return
		}
		e, ok := parseEnd(endText(st, reconnect))
		if !ok {
			t.Fatalf("%v is not understood", st)
		}
		if e.Status.Code() != code || e.Reconnect != reconnect {
			t.Errorf("%v, %v is understood as %v, %v", st, reconnect, e.Status, e.Reconnect)
		}
		want := msg
		if cause != "" {
			want += ": " + cause
		}
		if !strings.HasPrefix(want, e.Status.Msg()) && utf8.ValidString(want) {
			t.Errorf("%q is understood as %q", want, e.Status.Msg())
		}
		if len(want) <= maxEndText && e.Status.Msg() != want {
			t.Errorf("%q is understood as %q", want, e.Status.Msg())
		}
	})
}

// FuzzCallerTimeout: a timeout from the wire is bounded and not negative; one that
// is not a number is ignored.
func FuzzCallerTimeout(f *testing.F) {
	for _, v := range []string{"", "0", "1", "60000", "-1", "18446744073709551615", "18446744073709551616", "1e3", "946080000000", "946080000001", " 5"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		m := message.New()
		m.Meta().Set(MetaTimeout, v)
		left, marked := callerTimeout(m)
		if left < 0 || left > maxTimeout || !marked && left != 0 {
			t.Errorf("%q is %v, marked %v", v, left, marked)
		}
		digits := v != "" && strings.Trim(v, "0123456789") == ""
		if marked != digits {
			t.Errorf("%q: marked is %v", v, marked)
		}
		if n, err := strconv.ParseInt(v, 10, 40); err == nil && n >= 0 && digits {
			if want := min(time.Duration(n)*time.Millisecond, maxTimeout); left != want {
				t.Errorf("%q is %v, want %v", v, left, want)
			}
		}
	})
}

// FuzzReplyMarks: marks of a reply from a side that is not proven, or for another
// call, have no effect. No mark stays in the metadata of the call.
func FuzzReplyMarks(f *testing.F) {
	f.Add("16777216", int32(16777216), int32(503), true, "")
	f.Add("16777216", int32(16777216), int32(503), false, "k=v")
	f.Add("16777217", int32(16777216), int32(503), true, "")
	f.Add("16777216", int32(16777216), int32(0), true, "X-Erpc-Hello=1")
	f.Fuzz(func(t *testing.T, mark string, seq, code int32, proven bool, query string) {
		c := new(conn)
		if proven {
			c.proof.get().give()
		}
		m := message.New()
		m.SetSeq(seq)
		m.SetStatus(message.NewStatus(code, "m", "c"))
		m.Meta().Parse(query)
		m.Meta().Set(metaRefused, mark)
		c.proof.peek().readRefusal(m)
		want := proven && code != 0 && namesSeq([]byte(mark), seq)
		if NotExecuted(m.Status()) != want {
			t.Errorf("mark %q, number %d, code %d, proven %v: not executed is %v", mark, seq, code, proven, !want)
		}
		if code != 0 && m.Meta().Has(metaRefused) {
			t.Error("the mark is passed on")
		}
		if st := m.Status(); !st.OK() && (st.Code() != code || st.Msg() != "m" || st.Cause().Error() != "c") {
			t.Errorf("the status is %v", st)
		}
		dropMarks(m)
		if m.Meta().Has(metaRefused) || m.Meta().Has(metaHello) {
			t.Errorf("the marks are left: %v", m.Meta())
		}
	})
}

// FuzzRefusal: the mark of a refusal changes nothing else of a status, is not
// sent, and may be set twice.
func FuzzRefusal(f *testing.F) {
	f.Add(int32(503), "shutting down", "cause")
	f.Add(int32(429), "", "")
	f.Add(int32(0), "fine", "")
	f.Fuzz(func(t *testing.T, code int32, msg, cause string) {
		st := message.NewStatus(code, msg, cause)
		r := Refusal(st)
		if NotExecuted(st) {
			t.Error("the status itself is marked")
		}
		if NotExecuted(r) != (code != 0) {
			t.Errorf("code %d: not executed is %v", code, NotExecuted(r))
		}
		for _, got := range []*message.Status{r, plain(r), Refusal(r)} {
			if got.Code() != st.Code() || got.Msg() != st.Msg() || got.String() != st.String() {
				t.Errorf("%v became %v", st, got)
			}
		}
		if NotExecuted(plain(r)) {
			t.Error("the mark goes over the wire")
		}
	})
}
