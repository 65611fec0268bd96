package guard_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/goerpc/erpc/internal/guard"
)

func run(kind, name string, f func()) (err error) {
	defer guard.Catch(&err, kind, name)
	f()
	return nil
}

// The stack must contain explode.
func explode(v any) { panic(v) }

func TestCatchKeepsTheStackOfThePanic(t *testing.T) {
	for _, c := range []struct {
		kind, name, text string
		value            any
	}{
		{"codec", "json", "panic in codec json: boom", "boom"},
		{"protocol", "", "panic in protocol: EOF", io.EOF},
	} {
		err := run(c.kind, c.name, func() { explode(c.value) })
		p, ok := errors.AsType[*guard.PanicError](err)
		if !ok || err.Error() != c.text || p.Value != c.value {
			t.Errorf("got %v, want %q with the value %v", err, c.text, c.value)
			continue
		}
		if !bytes.Contains(p.Stack, []byte("guard_test.explode")) {
			t.Errorf("the stack lacks the function that panicked:\n%s", p.Stack)
		}
		if cause, isError := c.value.(error); isError && !errors.Is(err, cause) {
			t.Errorf("%v does not wrap the error it panicked with", err)
		}
	}
}

func TestCatchIsSilentWithoutAPanic(t *testing.T) {
	if err := run("codec", "json", func() {}); err != nil {
		t.Errorf("got %v without a panic", err)
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = run("handler", "/a", runtime.Goexit)
	}()
	<-done
	if err != nil {
		t.Errorf("got %v for a goroutine that exits", err)
	}
}

func TestCatchCostsNoAllocation(t *testing.T) {
	name := "json"
	if n := testing.AllocsPerRun(100, func() { _ = run("codec", name, func() {}) }); n > 0 {
		t.Errorf("%v allocations for a call that does not panic", n)
	}
}
