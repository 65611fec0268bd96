package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/reflect"
)

// asCommand makes this test binary act as the command erpc.
const asCommand = "ERPC_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// onPath puts a command erpc, which is this test binary, first in PATH.
func onPath(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\n" + asCommand + "=1 exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "erpc"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestComplete(t *testing.T) {
	home(t)
	r := reflect.New(reflect.Config{})
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		register(p, r)
		erpc.HandleCall(p, "/math/a;reboot", func(context.Context, *int) (*int, error) { return nil, nil })
		erpc.HandleCall(p, "/math/a$(reboot)", func(context.Context, *int) (*int, error) { return nil, nil })
	}, r)
	if code, _, errs := erpcRun(t, "", "context", "set", "prod", addr); code != exitOK {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"be"}, "bench"},
		{[]string{"call", "p"}, "prod"},
		{[]string{"call", "-time"}, "-timeout"},
		{[]string{"call", "-timeout", ""}, ""},
		{[]string{"call", "-timeout", "5s", "prod", "/math/a"}, "/math/add"}, // and no name that a shell would execute
		{[]string{"call", "-insecure", addr, "/count/s"}, "/count/sum"},
		{[]string{"call", addr, "/math/add", ""}, ""},
		{[]string{"describe", addr, "/math/add", "/math/d"}, "/math/divide"},
		{[]string{"list", "-proto", chatProto, "/chat.v1.Chat/W"}, "/chat.v1.Chat/Watch"},
		{[]string{"call", "-proto", chatProto, "prod", "/chat.v1.Chat/W"}, "/chat.v1.Chat/Watch"},
		{[]string{"call", "nobody", "/"}, ""},
		{[]string{"list", "prod", "/math/a"}, "/math/add"},
		{[]string{"list", "prod", "/math/add", ""}, ""},
		{[]string{"types", "prod", "/math/a"}, "/math/add"},
		{[]string{"list", "-proto", chatProto, "/chat.v1.Chat/", "/chat"}, ""},
		{[]string{"describe", "-proto", chatProto, "/chat.v1.Chat/Say", "/chat.v1.Chat/W"}, "/chat.v1.Chat/Watch"},
		{[]string{"stream", "p"}, "prod"},
		{[]string{"listen", "prod", ""}, ""},
		{[]string{"top", "prod", ""}, ""},
		{[]string{"serve", "-erro"}, "-error -error-rate"},
		{[]string{"completion", ""}, "bash fish zsh"},
		{[]string{"context", "r"}, "remove"},
		{[]string{"context", "remove", ""}, "prod"},
		{[]string{"fly", ""}, ""},
	} {
		code, out, errs := erpcRun(t, "", append([]string{completeCommand}, c.words...)...)
		if got := strings.Join(strings.Fields(out), " "); code != exitOK || got != c.want || errs != "" {
			t.Errorf("%q: exit %d, %q, %q; want %q", c.words, code, got, errs, c.want)
		}
	}
	if code, out, _ := erpcRun(t, "", completeCommand); code != exitOK || !strings.Contains(out, "stream\n") {
		t.Errorf("no word: exit %d, %q", code, out)
	}
	if code, _, errs := erpcRun(t, "", "completion", "tcsh"); code != exitUsage || !strings.Contains(errs, "fish") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// The shells themselves complete with these scripts.
func TestShellsComplete(t *testing.T) {
	home(t)
	onPath(t)
	addr := serve(t, erpc.PeerConfig{}, nil)
	for shell, run := range map[string]func(line string) string{ // what the shell runs after the script
		"bash": func(line string) string {
			return `COMP_LINE='` + line + `'; COMP_POINT=${#COMP_LINE}; _erpc; printf '%s\n' "${COMPREPLY[@]}"`
		},
		"zsh": func(line string) string {
			return `words=(${(z):-'` + line + `'}); [[ '` + line + `' == *' ' ]] && words+=(''); CURRENT=$#words; _erpc`
		},
		"fish": func(line string) string { return `complete -C '` + line + `'` },
	} {
		t.Run(shell, func(t *testing.T) {
			program := kit.Program(t, shell)
			_, script, _ := erpcRun(t, "", "completion", shell)
			if shell == "zsh" { // what only its line editor provides
				script = "compdef() {}; compadd() { print -l -- $found }; _files() {}\n" + script
			}
			for line, want := range map[string]string{
				"erpc be":                     "bench",
				"erpc call -time":             "-timeout",
				"erpc call " + addr + " /mat": "/math/add /math/divide",
				"erpc call " + addr + " ":     "/math/add",
			} {
				out, err := exec.CommandContext(t.Context(), program, "-c", script+run(line)).CombinedOutput()
				got := " " + strings.Join(strings.Fields(string(out)), " ") + " "
				if err != nil || !strings.Contains(got, " "+want+" ") {
					t.Errorf("%s completes %q with %q, %v; want %q", shell, line, got, err, want)
				}
			}
		})
	}
}
