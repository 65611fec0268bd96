package binder_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/binder"
)

// serve returns a session with a peer that has the handler /h behind the plugins,
// and what that handler received.
func serve[A any](t *testing.T, plugins ...erpc.Plugin) (erpc.Session, <-chan A) {
	t.Helper()
	got := make(chan A, 1)
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, plugins...)
	erpc.HandleCall(srv.Peer, "/h", func(_ context.Context, a *A) (*int, error) {
		got <- *a
		return new(int), nil
	})
	erpc.HandlePush(srv.Peer, "/p", func(_ context.Context, a *A) error {
		got <- *a
		return nil
	})
	srv.Listen(t)
	return wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr), got
}

type Kind string

type FromMeta struct {
	S    string    `param:"<meta>"`
	K    Kind      `param:"<meta:kind>"`
	SS   []string  `param:"<meta:s>"`
	B    bool      `param:"<meta>"`
	BB   []bool    `param:"<meta:b>"`
	By   byte      `param:"<meta>"`
	Bs   []byte    `param:"<meta:s>"`
	BsB  [][]byte  `param:"<meta:s>"`
	I    int       `param:"<meta:n>"`
	I8   int8      `param:"<meta:n>"`
	I16  int16     `param:"<meta:n>"`
	I32  int32     `param:"<meta:n>"`
	I64  int64     `param:"<meta:n>"`
	U    uint      `param:"<meta:n>"`
	U16  uint16    `param:"<meta:n>"`
	U32  uint32    `param:"<meta:n>"`
	U64  uint64    `param:"<meta:n>"`
	F32  float32   `param:"<meta:f>"`
	F64  float64   `param:"<meta:f>"`
	IS   []int     `param:"<meta:n>"`
	I8S  []int8    `param:"<meta:n>"`
	U64S []uint64  `param:"<meta:n>"`
	FS   []float64 `param:"<meta:f>"`
	XyZ  string    `param:"<meta>"`
	Not  string    `param:"<meta:absent>"`
	No   string    `param:"-"`
}

// TestMeta fills values of every type from metadata, which takes precedence over
// the body.
func TestMeta(t *testing.T) {
	sess, got := serve[FromMeta](t, binder.NewStructArgsBinder(nil))
	var settings []erpc.MessageSetting
	for _, kv := range strings.Split("s=a s=b kind=k b=on b=false b=1 by=255 n=7 n=8 f=1.5 f=-2 xy_z=snake no=ignored", " ") {
		k, v, _ := strings.Cut(kv, "=")
		settings = append(settings, erpc.WithAddMeta(k, v))
	}
	body := FromMeta{S: "body", IS: []int{1, 2, 3}, Not: "body", No: "body"}
	if st := sess.Call("/h", body, nil, settings...).Status(); !st.OK() {
		t.Fatal(st)
	}
	want := FromMeta{
		S: "a", K: "k", SS: []string{"a", "b"}, B: true, BB: []bool{true, false, true}, By: 255,
		Bs: []byte("a"), BsB: [][]byte{[]byte("a"), []byte("b")},
		I: 7, I8: 7, I16: 7, I32: 7, I64: 7, U: 7, U16: 7, U32: 7, U64: 7, F32: 1.5, F64: 1.5,
		IS: []int{7, 8}, I8S: []int8{7, 8}, U64S: []uint64{7, 8}, FS: []float64{1.5, -2},
		XyZ: "snake", Not: "body", No: "body",
	}
	if g := <-got; !reflect.DeepEqual(g, want) {
		t.Errorf("got\n%+v, want\n%+v", g, want)
	}
	for _, wrong := range []string{"n=300", "n=x", "b=perhaps", "f=?", "by=-1"} {
		k, v, _ := strings.Cut(wrong, "=")
		st := sess.Call("/h", body, nil, erpc.WithAddMeta(k, v)).Status()
		if st.Code() != erpc.CodeBadMessage || !strings.Contains(fmt.Sprint(st.Cause()), v) {
			t.Errorf("%s: %v", wrong, st)
		}
	}
}

// A swapper puts values into the swap of a call.
func swapper(values map[string]any) erpc.Plugin {
	return &erpc.PluginImpl{PluginName: "swapper", OnPostReadCallHeader: func(ctx erpc.ReadCtx) *erpc.Status {
		for k, v := range values {
			ctx.Swap().Store(k, v)
		}
		return nil
	}}
}

func TestSwap(t *testing.T) {
	type arg struct {
		F    float32   `param:"<swap:int>"`
		I8   int8      `param:"<swap:int>"`
		S    string    `param:"<swap>"`
		T    time.Time `param:"<swap:when>"`
		Gone string    `param:"<swap>"`
	}
	now := time.Unix(1, 0).UTC()
	n := 123
	good := map[string]any{"int": &n, "s": Kind("text"), "when": now}
	sess, got := serve[arg](t, swapper(good), binder.NewStructArgsBinder(nil))
	if st := sess.Call("/h", arg{Gone: "body"}, nil).Status(); !st.OK() {
		t.Fatal(st)
	}
	if g, want := <-got, (arg{123, 123, "text", now, "body"}); g != want {
		t.Errorf("got %+v, want %+v", g, want)
	}
	for _, bad := range []map[string]any{
		{"int": 300}, {"int": uint64(1 << 63)}, {"int": "1"}, {"int": nil}, {"s": 65}, {"when": "now"}, {"int": 1.5},
	} {
		sess, _ := serve[arg](t, swapper(bad), binder.NewStructArgsBinder(nil))
		if st := sess.Call("/h", arg{}, nil).Status(); st.Code() != erpc.CodeBadMessage {
			t.Errorf("%v: %v", bad, st)
		}
	}
}

type item struct {
	Price float32 `param:"<range:0:0.1>"`
}

type base struct {
	Lang string `param:"<meta><len:2>"`
}

type node struct {
	Next *node
	N    int `param:"<range:0:9>"`
}

type Checked struct {
	base
	Len    string         `param:"<len:2:3>"`
	Tags   []string       `param:"<len::2><regexp:^[a-z]+$>"`
	Few    map[string]int `param:"<len:1:>"`
	Range  int            `param:"<range:1:100><stat:1001:out of range>"`
	Big    int64          `param:"<range:9007199254740993:9007199254740993>"`
	Half   uint           `param:"<range:0.5:2.5>"`
	Floats []float64      `param:"<range:-1:1>"`
	Must   string         `param:"<nonzero><stat::must be there>"`
	Some   []int          `param:"<nonzero>"`
	Word   string         `param:"<regexp:^(?P<w\\>\\w+)$><desc: a word >"`
	Items  []*item
	Inner  struct {
		Deep bool `param:"<nonzero><stat:1002:>"`
	}
	List *node
	When time.Time
}

func good() Checked {
	c := Checked{base{"en"}, "ab", []string{"x"}, map[string]int{"a": 1}, 1, 9007199254740993, 1, []float64{-1, 1},
		"m", []int{0}, "w", []*item{nil, {0.1}}, struct {
			Deep bool `param:"<nonzero><stat:1002:>"`
		}{true}, &node{&node{nil, 9}, 0}, time.Time{}}
	return c
}

func TestChecks(t *testing.T) {
	b := binder.NewStructArgsBinder(nil)
	sess, got := serve[Checked](t, b)
	call := func(change func(*Checked), lang string) *erpc.Status {
		c := good()
		change(&c)
		return sess.Call("/h", c, nil, erpc.WithSetMeta("lang", lang)).Status()
	}
	if st := call(func(*Checked) {}, "en"); !st.OK() {
		t.Fatal(st)
	}
	if g := <-got; !reflect.DeepEqual(g, good()) {
		t.Errorf("got %+v", g)
	}
	for _, tc := range []struct {
		param, reason string
		change        func(*Checked)
		code          int32
		msg           string
	}{
		{"len", "shorter than 2: a", func(c *Checked) { c.Len = "a" }, 0, ""},
		{"len", "longer than 3: abcd", func(c *Checked) { c.Len = "abcd" }, 0, ""},
		{"tags", "longer than 2", func(c *Checked) { c.Tags = []string{"a", "b", "c"} }, 0, ""},
		{"tags", "not match ^[a-z]+$: B", func(c *Checked) { c.Tags = []string{"a", "B"} }, 0, ""},
		{"few", "shorter than 1", func(c *Checked) { c.Few = nil }, 0, ""},
		{"range", "smaller than 1: 0", func(c *Checked) { c.Range = 0 }, 1001, "out of range"},
		{"range", "bigger than 100: 101", func(c *Checked) { c.Range = 101 }, 1001, "out of range"},
		{"big", "bigger than", func(c *Checked) { c.Big++ }, 0, ""},
		{"big", "smaller than", func(c *Checked) { c.Big-- }, 0, ""},
		{"half", "smaller than 0.5: 0", func(c *Checked) { c.Half = 0 }, 0, ""},
		{"floats", "bigger than 1: 1.5", func(c *Checked) { c.Floats = []float64{0, 1.5} }, 0, ""},
		{"must", "zero value", func(c *Checked) { c.Must = "" }, 0, "must be there"},
		{"some", "zero value", func(c *Checked) { c.Some = []int{} }, 0, ""},
		{"word", "not match", func(c *Checked) { c.Word = "a b" }, 0, ""},
		{"price", "bigger than 0.1", func(c *Checked) { c.Items[1].Price = 0.2 }, 0, ""},
		{"deep", "zero value", func(c *Checked) { c.Inner.Deep = false }, 1002, ""},
		{"n", "bigger than 9: 10", func(c *Checked) { c.List.Next.N = 10 }, 0, ""},
		{"lang", "longer than 2: eng", nil, 0, ""},
	} {
		lang := "en"
		if tc.change == nil {
			tc.change, lang = func(*Checked) {}, "eng"
		}
		if tc.code == 0 {
			tc.code = erpc.CodeBadMessage
		}
		if tc.msg == "" {
			tc.msg = "Invalid Parameter"
		}
		st := call(tc.change, lang)
		cause := fmt.Sprint(st.Cause())
		if st.Code() != tc.code || st.Msg() != tc.msg || !strings.Contains(cause, tc.reason) ||
			!strings.Contains(cause, fmt.Sprintf(`{"handler": "/h", "param": %q, "reason": "`, tc.param)) {
			t.Errorf("%s: %d %q %s, want %d %q … %q", tc.param, st.Code(), st.Msg(), cause, tc.code, tc.msg, tc.reason)
		}
	}
	params, err := b.Params(reflect.TypeFor[Checked]())
	if err != nil || len(params) != 14 || params[0] != (binder.Param{Name: "lang", From: "meta"}) || params[10] != (binder.Param{Name: "word", From: "body", Desc: "a word"}) {
		t.Errorf("params %+v %v", params, err)
	}
}

// TestMistakes: a parameter that can't work is reported at registration.
func TestMistakes(t *testing.T) {
	for want, arg := range map[string]any{
		"no closing bracket": struct {
			A int `param:"<range:1:2"`
		}{},
		"not in angle brackets": struct {
			A int `param:"range:1:2"`
		}{},
		"<size> is unknown": struct {
			A int `param:"<size:1>"`
		}{},
		"given twice": struct {
			A int `param:"<range:1:2><range:2:3>"`
		}{},
		"<len:1:2> can't be used with a int": struct {
			A int `param:"<len:1:2>"`
		}{},
		"<range:1:2> can't be used with a string": struct {
			A string `param:"<range:1:2>"`
		}{},
		"<regexp:a> can't be used with a int": struct {
			A int `param:"<regexp:a>"`
		}{},
		"missing closing": struct {
			A string `param:"<regexp:(>"`
		}{},
		"2 is above 1": struct {
			A int `param:"<range:2:1>"`
		}{},
		"is not a range": struct {
			A int `param:"<range::>"`
		}{},
		"does not fit": struct {
			A string `param:"<len:a:b>"`
		}{},
		"takes no value": struct {
			A int `param:"<nonzero:1>"`
		}{},
		"write <stat:code:message>": struct {
			A int `param:"<stat:1001>"`
		}{},
		"not a 32-bit integer": struct {
			A int `param:"<stat:x:y>"`
		}{},
		"can't be a pointer": struct {
			A *int `param:"<nonzero>"`
		}{},
		"can't be both": struct {
			A int `param:"<meta><swap>"`
		}{},
		"can't be made from metadata": struct {
			A map[string]int `param:"<meta>"`
		}{},
		"is not exported": struct {
			a int `param:"<nonzero>"`
		}{},
		"N: <nothing> is unknown": struct {
			A []*struct {
				N int `param:"<nothing>"`
			}
		}{},
	} {
		b := binder.NewStructArgsBinder(nil)
		if _, err := b.Params(reflect.TypeOf(arg)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %q", arg, err, want)
		}
	}
	type wrong struct {
		A int `param:"<len:1>"`
	}
	handler := func(context.Context, *wrong) (*int, error) { return nil, nil }
	msg := func() (msg string) {
		defer func() { msg = fmt.Sprint(recover()) }()
		erpc.HandleCall(wiretest.NewServer(t, erpc.PeerConfig{}, binder.NewStructArgsBinder(nil)).Peer, "/wrong", handler)
		return ""
	}()
	if !strings.Contains(msg, "/wrong") || !strings.Contains(msg, "wrong.A: <len:1> can't be used with a int") {
		t.Errorf("registration said %q", msg)
	}
	// It was registered before the plugin was added, so the first call reports it.
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	erpc.HandleCall(srv.Peer, "/wrong", handler)
	srv.PluginContainer().AppendRight(binder.NewStructArgsBinder(nil))
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if st := sess.Call("/wrong", wrong{}, nil).Status(); st.Code() != erpc.CodeInternalServerError {
		t.Error(st)
	}
}

// TestErrorFunc: the user chooses the status; a status that is OK lets nothing
// through either.
func TestErrorFunc(t *testing.T) {
	type arg struct {
		A int `param:"<nonzero><stat::mine>"`
	}
	b := binder.NewStructArgsBinder(func(handler, param, reason string) *erpc.Status {
		return erpc.NewStatus(2000, "theirs", handler+" "+param+" "+reason)
	})
	sess, _ := serve[arg](t, b)
	st := sess.Call("/h", arg{}, nil).Status()
	if st.Code() != 2000 || st.Msg() != "mine" || fmt.Sprint(st.Cause()) != "/h a zero value" {
		t.Error(st)
	}
	sess, _ = serve[arg](t, binder.NewStructArgsBinder(func(_, _, _ string) *erpc.Status { return nil }))
	if st := sess.Call("/h", arg{}, nil).Status(); st.Code() != erpc.CodeBadMessage {
		t.Error(st)
	}
}

// TestPush: an invalid push does not reach its handler.
func TestPush(t *testing.T) {
	type arg struct {
		A int    `param:"<range:1:>"`
		M string `param:"<meta>"`
	}
	sess, got := serve[arg](t, binder.NewStructArgsBinder(nil))
	for _, n := range []int{0, 5} {
		if st := sess.Push("/p", arg{A: n}, erpc.WithSetMeta("m", "x")); !st.OK() {
			t.Fatal(st)
		}
	}
	select {
	case g := <-got:
		if g != (arg{5, "x"}) {
			t.Errorf("got %+v", g)
		}
	case <-time.After(wiretest.Limit):
		t.Fatal("the push did not come")
	}
}
