package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// asProgram makes the test binary run main: the demo starts its own executable
// again for each part.
const asProgram = "ERPC_HELLO_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs the program and waits for its end.
func program(t *testing.T, args ...string) (output string, exitStatus int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestDemo(t *testing.T) {
	t.Parallel()
	out, status := program(t)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, out)
	}
	for _, want := range []string{
		`(?m)^server +\| listening on 127\.0\.0\.1:\d+$`,
		`(?m)^anna +\| CALL /math/add \[1 2 3 4 5\], with metadata author=anna$`,
		`(?m)^server +\| CALL /math/add \[1 2 3 4 5\] arrived, metadata author=anna$`,
		`(?m)^anna +\| REPLY 15$`,
		`(?m)^ben +\| REPLY 15$`,
		`(?m)^server +\| PUSH /chat/say arrived: "hello from anna"$`,
		`(?m)^server +\| PUSH /chat/say arrived: "hello from ben"$`,
		`(?m)^server +\| BROADCAST /news/tick \d+ sent to 2 clients$`,
		`(?m)^anna +\| bye after 3 broadcasts$`,
		`(?m)^ben +\| bye after 3 broadcasts$`,
		`(?m)^server +\| stopped listening: peer: closed$`,
		`All three ended successfully`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing like %s in:\n%s", want, out)
		}
	}
	for _, client := range []string{"anna", "ben"} {
		if n := strings.Count(out, client+strings.Repeat(" ", 8-len(client))+"| broadcast /news/tick "); n < broadcasts {
			t.Errorf("%d broadcasts arrived at %s, want %d", n, client, broadcasts)
		}
	}
}

func TestTroubleIsAnExitStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"no such part", []string{"waiter"}, `unknown part "waiter"`},
		{"no such flag", []string{"client", "-color", "red"}, "color"},
		{"nobody listens", []string{"client", "-addr", "127.0.0.1:1"}, "105"},
		{"no address to listen on", []string{"server", "-addr", "127.0.0.1:no"}, "listen"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, status := program(t, tt.args...)
			if status != 1 || !strings.Contains(out, tt.says) {
				t.Errorf("exit status %d, want 1, and %q in:\n%s", status, tt.says, out)
			}
		})
	}
}
