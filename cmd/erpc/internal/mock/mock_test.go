package mock

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, text string) *Mock {
	t.Helper()
	c, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTemplates(t *testing.T) {
	m := read(t, `
methods:
  - method: /add
    reply: '{{len .Arg}}'
  - method: /hello
    reply: '{"text": {{json .Arg.name}}, "count": {{.Count}}, "who": {{json (.Get "WHO")}}}'
  - {method: /room/*, reply: '{{json .Method}}'}
  - {method: /number, reply: 7}
  - {method: /dice, reply: '{{random 1 7}}'}
  - {method: /bad, reply: 'hello'}
  - {method: /missing, reply: '{{.Arg.nothing}}'}
  - {method: /none}
`)
	for _, c := range []struct {
		method string
		arg    any
		want   string // "" is an error
	}{
		{"/add", []any{1, 2, 3}, "3"},
		{"/hello", map[string]any{"name": `"<x>`}, `{"text": "\"\u003cx\u003e", "count": 1, "who": "me"}`},
		{"/room/a/b", nil, `"/room/a/b"`},
		{"/number", nil, "7"},
		{"/bad", nil, ""},
		{"/missing", map[string]any{}, ""},
	} {
		req := &Request{Method: c.method, Arg: c.arg, Meta: map[string]string{"who": "me"}}
		a := m.Find(c.method)
		if a == nil {
			t.Fatalf("no rule for %s", c.method)
		}
		if wait, fails := a.Begin(req); wait != 0 || fails != nil {
			t.Errorf("%s waits %v and fails with %v", c.method, wait, fails)
		}
		got, err := a.Result(req)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s answers %s, %v; want %s", c.method, got, err, c.want)
		}
	}
	for range 100 {
		if got, err := m.Find("/dice").Result(&Request{}); err != nil || len(got) != 1 || got[0] < '1' || got[0] > '6' {
			t.Fatalf("a dice shows %s, %v", got, err)
		}
	}
	if got, err := m.Find("/none").Result(&Request{}); err != nil || len(got) != 0 {
		t.Errorf("no reply is %q, %v", got, err)
	}
	if m.Find("/roo") != nil || m.Find("/addx") != nil {
		t.Error("a rule matches what it should not")
	}
}

func TestDelaysAndFailures(t *testing.T) {
	m := read(t, `
methods:
  - {method: /slow, delay: 20ms, jitter: 10ms}
  - {method: /sometimes, error_rate: 0.25}
  - {method: /always, status: {code: 1234, msg: no, cause: because}}
  - {method: /seldom, error_rate: 0.25, status: {code: 7}}
`)
	draws := 0.5
	m.random = func() float64 { return draws }
	if wait, _ := m.Find("/slow").Begin(&Request{}); wait != 25*time.Millisecond {
		t.Errorf("the delay is %v", wait)
	}
	for method, want := range map[string]struct{ low, high *Status }{ // by the number drawn
		"/slow":      {},
		"/sometimes": {low: &Status{500, "Internal Server Error", "a failure of the mock"}},
		"/always":    {&Status{1234, "no", "because"}, &Status{1234, "no", "because"}},
		"/seldom":    {low: &Status{Code: 7}},
	} {
		for draw, want := range map[float64]*Status{0.1: want.low, 0.9: want.high} {
			draws = draw
			if _, st := m.Find(method).Begin(&Request{}); !reflect.DeepEqual(st, want) {
				t.Errorf("%s fails with %v when %v is drawn, want %v", method, st, draw, want)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	m := read(t, `
methods:
  - {method: /feed, feed: ['{{.N}}', '"b"'], repeat: 2, every: 1s}
  - {method: /endless, feed: ['{{.N}}'], repeat: -1}
  - {method: /once, feed: [1]}
  - {method: /each, each: '{{.Arg}}', reply: '{{.N}}'}
`)
	for method, want := range map[string]string{"/feed": `1,"b",3,"b"`, "/once": "1", "/each": ""} {
		a := m.Find(method)
		var got []string
		for n := 0; ; n++ {
			b, err := a.Next(n, &Request{})
			if err != nil {
				t.Fatal(err)
			}
			if len(b) == 0 {
				break
			}
			got = append(got, string(b))
		}
		if s := strings.Join(got, ","); s != want {
			t.Errorf("%s sends %s, want %s", method, s, want)
		}
	}
	if b, err := m.Find("/endless").Next(1_000_000, &Request{}); err != nil || string(b) != "1000001" {
		t.Errorf("an endless feed sends %s, %v", b, err)
	}
	if b, err := m.Find("/each").Answer(&Request{Arg: 5.0}); err != nil || string(b) != "5" {
		t.Errorf("answered %s, %v", b, err)
	}
	if b, err := m.Find("/feed").Answer(&Request{}); err != nil || b != nil {
		t.Errorf("answered %s, %v", b, err)
	}
}

func TestPushes(t *testing.T) {
	m := read(t, `pushes: [{method: /tick, body: '{{.Count}}', every: 1s}]`)
	for _, want := range []string{"1", "2"} {
		if b, err := m.Pushes[0].Body(); err != nil || string(b) != want {
			t.Errorf("pushed %s, %v; want %s", b, err, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, says := range map[string]string{
		`methods: [{reply: 1}]`:                                   "set method",
		`methods: [{method: /x, error_rate: 2}]`:                  "error_rate",
		`methods: [{method: /x, delay: -1s}]`:                     "negative",
		`methods: [{method: /x, status: {msg: no}}]`:              "must not be 0",
		`methods: [{method: /x, reply: '{{'}]`:                    "/x",
		`methods: [{method: /x, each: '{{'}]`:                     "/x",
		`methods: [{method: /x, feed: ['{{']}]`:                   "/x",
		`methods: [{method: /x, replay: 1}]`:                      "replay",
		`pushes: [{method: /x, body: 1}]`:                         "every",
		`{"methods": [{"method": "/x", "reply": "{{nothing}}"}]}`: "nothing",
	} {
		c, err := Read(strings.NewReader(text))
		if err == nil {
			_, err = New(c)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s gives %v, want %q", text, err, says)
		}
	}
	if c, err := Read(strings.NewReader("")); err != nil || len(c.Methods) != 0 {
		t.Errorf("an empty file gives %v, %v", c, err)
	}
}
