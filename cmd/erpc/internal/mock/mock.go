// Package mock determines the answers of a mock peer, by rules with templates,
// delays and failures. It is independent of connections.
package mock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"
)

// A Config is the content of a file of rules, in YAML or JSON.
type Config struct {
	Methods []Rule `yaml:"methods"`
	Pushes  []Push `yaml:"pushes"`
}

// A Rule says how to answer a method. The first matching rule applies. Replies
// are templates that produce JSON; [Request] has the values that they can use.
type Rule struct {
	Method string `yaml:"method"` // a * at its end matches any rest
	Reply  string `yaml:"reply"`  // to a call, or to a stream after its last message
	// For streams: Each is the answer to each message. The messages of Feed are
	// sent first, at intervals of Every, Repeat times; -1 means without end.
	Each   string        `yaml:"each"`
	Feed   []string      `yaml:"feed"`
	Every  time.Duration `yaml:"every"`
	Repeat int           `yaml:"repeat"`

	Delay     time.Duration     `yaml:"delay"`
	Jitter    time.Duration     `yaml:"jitter"`     // a random time up to this is added to the delay
	ErrorRate float64           `yaml:"error_rate"` // share of calls that fail, from 0 to 1
	Status    *Status           `yaml:"status"`     // the status that they fail with
	Meta      map[string]string `yaml:"meta"`       // of replies
}

// A Status is the status of a failure.
type Status struct {
	Code  int32  `yaml:"code"`
	Msg   string `yaml:"msg"`
	Cause string `yaml:"cause"`
}

// A Push is sent to all sessions repeatedly.
type Push struct {
	Method string        `yaml:"method"`
	Body   string        `yaml:"body"` // a template, like a reply
	Every  time.Duration `yaml:"every"`
}

// Read reads a configuration. Unknown names are errors.
func Read(r io.Reader) (Config, error) {
	var c Config
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	err := d.Decode(&c)
	if errors.Is(err, io.EOF) { // an empty file
		err = nil
	}
	return c, err
}

// A Request holds the values that templates can use.
type Request struct {
	Method  string
	Session string            // its id
	Arg     any               // the argument, with objects as maps; for a stream its first message, or the one being answered
	Meta    map[string]string // the first value of each key
	Count   int64             // how many times the rule was used, including this time
	N       int               // number of the message in a stream, from 1
}

// Get returns the metadata of a key. It ignores case, because HTTP changes the
// case of keys.
func (r *Request) Get(key string) string {
	if v, ok := r.Meta[key]; ok {
		return v
	}
	for k, v := range r.Meta {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return ""
}

// Mock answers requests. All methods may be called concurrently.
type Mock struct {
	rules  []*Answers
	Pushes []*Pusher
	random func() float64 // from 0 to 1; tests replace it
}

// Answers produces the answers of one rule.
type Answers struct {
	Rule
	reply, each *template.Template
	feed        []*template.Template
	count       atomic.Int64
	random      func() float64
}

// A Pusher produces the bodies of a push.
type Pusher struct {
	Push
	body  *template.Template
	count atomic.Int64
}

// New checks the configuration and returns its Mock.
func New(c Config) (*Mock, error) {
	m := &Mock{random: rand.Float64}
	for i, r := range c.Methods {
		a, err := m.answers(r)
		if err != nil {
			return nil, fmt.Errorf("rule %d, %q: %w", i+1, r.Method, err)
		}
		m.rules = append(m.rules, a)
	}
	for i, p := range c.Pushes {
		body, err := parse(p.Body)
		if err == nil && (p.Method == "" || p.Every <= 0) {
			err = errors.New("set method, and every to a positive time")
		}
		if err != nil {
			return nil, fmt.Errorf("push %d, %q: %w", i+1, p.Method, err)
		}
		m.Pushes = append(m.Pushes, &Pusher{Push: p, body: body})
	}
	return m, nil
}

func (m *Mock) answers(r Rule) (*Answers, error) {
	switch {
	case r.Method == "":
		return nil, errors.New("set method")
	case r.ErrorRate < 0 || r.ErrorRate > 1:
		return nil, errors.New("error_rate must be from 0 to 1")
	case r.Delay < 0 || r.Jitter < 0 || r.Every < 0 || r.Repeat < -1:
		return nil, errors.New("times and repeat must not be negative, except repeat: -1")
	case r.Status != nil && r.Status.Code == 0:
		return nil, errors.New("the code of a status must not be 0")
	}
	a := &Answers{Rule: r, random: func() float64 { return m.random() }}
	var err error
	a.reply, err = parse(r.Reply)
	if err != nil {
		return nil, err
	}
	if r.Each != "" {
		a.each, err = parse(r.Each)
		if err != nil {
			return nil, err
		}
	}
	for _, text := range r.Feed {
		t, err := parse(text)
		if err != nil {
			return nil, err
		}
		a.feed = append(a.feed, t)
	}
	return a, nil
}

// Find returns the answers for a method, or nil if no rule matches.
func (m *Mock) Find(method string) *Answers {
	for _, a := range m.rules {
		prefix, any := strings.CutSuffix(a.Method, "*")
		if method == a.Method || any && strings.HasPrefix(method, prefix) {
			return a
		}
	}
	return nil
}

// Begin counts a request. It returns how long to wait before the answer, and
// the status if the request should fail, else nil.
func (a *Answers) Begin(req *Request) (wait time.Duration, fails *Status) {
	req.Count = a.count.Add(1)
	wait = a.Delay + time.Duration(a.random()*float64(a.Jitter))
	rate, st := a.ErrorRate, a.Status
	if st == nil {
		st = &Status{Code: 500, Msg: "Internal Server Error", Cause: "a failure of the mock"}
	} else if rate == 0 {
		rate = 1 // a rule with a status but no rate always fails
	}
	if a.random() < rate {
		return wait, st
	}
	return wait, nil
}

// Result returns the result of a call, or the last message of a stream, as
// JSON. It returns nothing if the rule has no reply.
func (a *Answers) Result(req *Request) ([]byte, error) { return render(a.reply, req) }

// Answer returns the answer to a message of a stream, or nothing if the rule
// has none.
func (a *Answers) Answer(req *Request) ([]byte, error) {
	if a.each == nil {
		return nil, nil
	}
	return render(a.each, req)
}

// Next returns message n of the feed, from 0, or nothing after the last one.
func (a *Answers) Next(n int, req *Request) ([]byte, error) {
	if len(a.feed) == 0 || a.Repeat >= 0 && n >= len(a.feed)*max(a.Repeat, 1) {
		return nil, nil
	}
	req.N = n + 1
	return render(a.feed[n%len(a.feed)], req)
}

// Body returns the next body of a push.
func (p *Pusher) Body() ([]byte, error) {
	return render(p.body, &Request{Method: p.Method, Count: p.count.Add(1)})
}

var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"now": func() string { return time.Now().Format(time.RFC3339Nano) },
	"random": func(from, to int) (int, error) { // includes from but not to
		if from >= to {
			return 0, errors.New("random needs a range; write random FROM TO with FROM below TO")
		}
		return from + rand.IntN(to-from), nil
	},
}

func parse(text string) (*template.Template, error) {
	return template.New("reply").Funcs(functions).Option("missingkey=error").Parse(text)
}

// render executes a template and returns its JSON.
func render(t *template.Template, req *Request) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, req); err != nil {
		return nil, err
	}
	text := bytes.TrimSpace(b.Bytes())
	if len(text) > 0 && !json.Valid(text) {
		return nil, fmt.Errorf("the template produces %q, which is not JSON", clip(text))
	}
	return text, nil
}

func clip(text []byte) []byte { return text[:min(len(text), 64)] }
