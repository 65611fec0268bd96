package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	order := []string{"TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "ERROR", "CRITICAL", "PRINT", "OFF"}
	last := slog.Level(-100)
	for _, name := range order {
		l, err := ParseLevel(strings.ToLower(name))
		if err != nil || l <= last || LevelName(l) != name {
			t.Errorf("%s: level %d named %s, %v", name, l, LevelName(l), err)
		}
		last = l
	}
	if _, err := ParseLevel("LOUD"); err == nil || !strings.Contains(err.Error(), "WARN,") {
		t.Errorf("an unknown level gave %v", err)
	}
	if l, err := ParseLevel("Warning"); l != LevelWarning || err != nil {
		t.Errorf("v7's name of WARN gives %v, %v", l, err)
	}
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if LevelName(l) != l.String() {
			t.Errorf("%v is named %s", l, LevelName(l))
		}
	}
}

func TestPrinterWritesWhatTheLevelLets(t *testing.T) {
	var b bytes.Buffer
	sink := NewSink(&b)
	p := Printer{L: sink.Logger()}
	all := map[string]func(string, ...any){
		"TRACE": p.Tracef, "DEBUG": p.Debugf, "INFO": p.Infof, "NOTICE": p.Noticef,
		"WARN": p.Warnf, "ERROR": p.Errorf, "CRITICAL": p.Criticalf, "PRINT": p.Printf,
	}
	for _, set := range []string{"TRACE", "INFO", "ERROR", "PRINT", "OFF"} {
		limit, err := ParseLevel(set)
		if err != nil {
			t.Fatal(err)
		}
		sink.SetLevel(limit)
		for name, f := range all {
			b.Reset()
			f("the %s", "text")
			l, err := ParseLevel(name)
			if err != nil {
				t.Fatal(err)
			}
			wrote := strings.Contains(b.String(), "level="+name) && strings.Contains(b.String(), `msg="the text"`)
			if wrote != (l >= limit) {
				t.Errorf("at %s, %sf wrote %q", set, name, b.String())
			}
		}
	}
}

func TestFatalfPanicsAndNeverExits(t *testing.T) {
	var b bytes.Buffer
	defer func() {
		err, ok := recover().(error)
		var fatal FatalError
		if !ok || !errors.As(err, &fatal) || fatal.Text != "no way 1" || !strings.Contains(b.String(), "no way 1") {
			t.Errorf("panicked with %v, logged %q", err, b.String())
		}
	}()
	Printer{L: NewSink(&b).Logger()}.Fatalf("no way %d", 1)
}

func TestSinkOutputAndFlush(t *testing.T) {
	var first, second bytes.Buffer
	sink := NewSink(&first)
	log := sink.Logger().With("peer", 7).WithGroup("g")
	flushed := 0
	sink.SetOutput(TextHandler(&second), func() error { flushed++; return nil })
	log.Info("hello", "k", "v")
	if first.Len() != 0 || !strings.Contains(second.String(), "peer=7 g.k=v") {
		t.Errorf("wrote %q and %q", first.String(), second.String())
	}
	if err := sink.Flush(); err != nil || flushed != 1 {
		t.Errorf("flushed %d times, %v", flushed, err)
	}
}

// asked counts how often a value is formatted.
type asked struct{ times int }

func (a *asked) String() string {
	a.times++
	return "asked"
}

func TestDisabledLevelFormatsAndAllocatesNothing(t *testing.T) {
	sink := NewSink(&bytes.Buffer{})
	sink.SetLevel(LevelError)
	p := Printer{L: sink.Logger()}
	a := new(asked)
	if n := testing.AllocsPerRun(100, func() { p.Infof("%v and %d of %s", a, 1, "x") }); n != 0 || a.times != 0 {
		t.Errorf("%v allocations, formatted %d times", n, a.times)
	}
	if p.Errorf("%v", a); a.times != 1 {
		t.Errorf("a level that is on formats %d times", a.times)
	}
	var zero Printer
	zero.Errorf("discarded") // must not panic
}

// An origin stands for a session.
type origin struct{}

type traceKey struct{}

func (origin) LogContext() context.Context {
	return context.WithValue(context.Background(), traceKey{}, "t-1")
}
func (origin) LogAttrs(to []slog.Attr) []slog.Attr { return append(to, slog.String("session", "s-1")) }

// traced adds a value from the context, as handlers of tracing libraries do.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(slog.Any("trace", ctx.Value(traceKey{})))
	return h.Handler.Handle(ctx, r)
}

// TestOriginIsTold: each way of logging passes the context of the origin to the handler,
// adds its attributes, and names the line of code that has logged.
func TestOriginIsTold(t *testing.T) {
	var b bytes.Buffer
	p := Printer{L: slog.New(traced{slog.NewTextHandler(&b, &slog.HandlerOptions{AddSource: true})}), From: origin{}}
	for what, f := range map[string]func(){
		"formatted":  func() { p.Warnf("the %s", "text") },
		"attributes": func() { p.Log(slog.LevelWarn, "the text", slog.Int("n", 1)) },
	} {
		b.Reset()
		f()
		got := b.String()
		for _, want := range []string{"logging_test.go:", `msg="the text" session=s-1`, "trace=t-1"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q has no %q", what, got, want)
			}
		}
	}
	if !strings.Contains(b.String(), "level=WARN") {
		t.Errorf("%q", b.String())
	}
}
