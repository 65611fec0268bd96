package logging

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	order := []string{"TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "PRINT", "OFF"}
	last := slog.Level(-100)
	for _, name := range order {
		l, err := ParseLevel(strings.ToLower(name))
		if err != nil || l <= last || LevelName(l) != name {
			t.Errorf("%s: level %d named %s, %v", name, l, LevelName(l), err)
		}
		last = l
	}
	if _, err := ParseLevel("LOUD"); err == nil || !strings.Contains(err.Error(), "WARNING") {
		t.Errorf("an unknown level gave %v", err)
	}
}

func TestPrinterWritesWhatTheLevelLets(t *testing.T) {
	var b bytes.Buffer
	sink := NewSink(&b)
	p := Printer{sink.Logger()}
	all := map[string]func(string, ...any){
		"TRACE": p.Tracef, "DEBUG": p.Debugf, "INFO": p.Infof, "NOTICE": p.Noticef,
		"WARNING": p.Warnf, "ERROR": p.Errorf, "CRITICAL": p.Criticalf, "PRINT": p.Printf,
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
	Printer{NewSink(&b).Logger()}.Fatalf("no way %d", 1)
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

// asked counts how often it is formatted.
type asked struct{ times int }

func (a *asked) String() string {
	a.times++
	return "asked"
}

func TestDisabledLevelFormatsAndAllocatesNothing(t *testing.T) {
	sink := NewSink(&bytes.Buffer{})
	sink.SetLevel(LevelError)
	p := Printer{sink.Logger()}
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
