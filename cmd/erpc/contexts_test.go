package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/saved"
)

// home gives the test its own configuration directory.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("AppData", dir)
	path, err := saved.Path()
	if err != nil || !strings.HasPrefix(path, dir) {
		t.Fatalf("contexts are in %s, %v", path, err)
	}
	return path
}

func TestContexts(t *testing.T) {
	path := home(t)
	addr := serve(t, erpc.PeerConfig{}, nil)
	t.Setenv("WORD", "hush")
	steps := []struct {
		args []string
		code int
		out  string
		says string
	}{
		{args: []string{"context"}},
		{args: []string{"context", "set", "-H", "key=${WORD}", "-timeout=5s", "-insecure", "-auth", "$TOKEN", "test", "tcp://" + addr}},
		{args: []string{"context", "list"}, out: "test  tcp://" + addr + "  -H=key=${WORD} -auth=$TOKEN -insecure=true -timeout=5s\n"},
		{args: []string{"call", "-auth", "", "test", "/hidden/meta"}, out: "\"hush\"\n"},
		{args: []string{"call", "-auth", "", "-H", "key=other", "test", "/hidden/meta"}, out: "\"other\"\n"},
		{args: []string{"call", "test", "/hidden/meta"}, code: exitUsage, says: "TOKEN"}, // the saved flag counts
		{args: []string{"call", "nobody", "/math/add"}, code: exitUsage, says: "context list"},
		{args: []string{"context", "set", "-auth", "hunter2", "bad", addr}, code: exitUsage, says: "not saved"},
		{args: []string{"context", "set", "-H", "Authorization: Bearer hunter2", "bad", addr}, code: exitUsage, says: "not saved"},
		{args: []string{"context", "set", "-H", "Authorization: Bearer ${WORD}", "good", addr}},
		{args: []string{"context", "set", "b/d", addr}, code: exitUsage, says: "letters"},
		{args: []string{"context", "set", "bad", "nowhere"}, code: exitUsage, says: "host:port"},
		{args: []string{"context", "remove", "test"}},
		{args: []string{"context", "remove", "test"}, code: exitUsage, says: "test"},
		{args: []string{"context", "fly"}, code: exitUsage, says: "remove NAME"},
		{args: []string{"context", "-h"}, says: "usage"},
	}
	for _, c := range steps {
		code, out, errs := erpcRun(t, "", c.args...)
		if code != c.code || out != c.out || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, %q, %q; want %d, %q, %q", c.args, code, out, errs, c.code, c.out, c.says)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "hush") {
		t.Errorf("the file holds a secret: %s, %v", text, err)
	}
}

// Files are found from every directory, and list knows that a saved target has
// .proto files.
func TestContextWithProto(t *testing.T) {
	home(t)
	addr := serve(t, erpc.PeerConfig{}, nil)
	dir, err := filepath.Abs("../../examples/protobuf/chat")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if code, _, errs := erpcRun(t, "", "context", "set", "-proto", "chat.proto", "chat", addr); code != exitOK {
		t.Fatalf("exit %d, %s", code, errs)
	}
	t.Chdir(t.TempDir())
	for _, c := range [][]string{{"list", "chat", "/chat.v1.Chat/W"}, {"list", "-proto", filepath.Join(dir, "chat.proto"), "/chat.v1.Chat/W"}} {
		code, out, errs := erpcRun(t, "", c...)
		if code != exitOK || out != "stream (server)  /chat.v1.Chat/Watch  chat.v1.Room  chat.v1.Line  Watch sends the lines of a room.\n" {
			t.Errorf("%q: exit %d, %q, %q", c, code, out, errs)
		}
	}
	if code, out, errs := erpcRun(t, "", "call", "-codec", "json", "chat", "/math/add", "[1]"); code != exitOK || out != "1\n" {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
}

// No secret is saved: neither next to a variable, nor in a form that only looks like
// a variable, nor in the target.
func TestLastingHoldsNoSecret(t *testing.T) {
	for _, c := range []struct {
		flag, value string
		ok          bool
	}{
		{"H", "from=ops", true},
		{"H", "x-trace: a$b", true}, // no secret
		{"H", "Authorization: Bearer ${TOK}", true},
		{"H", "authorization=$TOK", true},
		{"H", "Authorization: ${TOK}", true},
		{"H", "Cookie: sid=${SID}; csrf=$CSRF", true},
		{"H", "X-Api-Key:${KEY_1}", true},
		{"H", "Authorization: Bearer ${TOK}x", false},
		{"H", "Authorization: Bearer hunter2${TOK}", false},
		{"H", "Authorization: hunter2 ${TOK}", false},
		{"H", "Authorization: Bearer pa$$word", false},
		{"H", "password=hunter$2", false},
		{"H", "Cookie: sid=hunter2; csrf=$CSRF", false},
		{"H", "x-session: hunter2", false},
		{"H", "db-pwd=hunter2", false},
		{"H", "x-credential: hunter2", false},
		{"H", "x-forwarded: Bearer hunter2", false}, // its value decides
		{"auth", "$TOK", true},
		{"auth", "${TOK}", true},
		{"auth", "$ecret-word", false},
		{"auth", "hunter2", false},
	} {
		got, err := lasting(c.flag, c.value)
		if (err == nil) != c.ok || c.ok && got != c.value {
			t.Errorf("-%s %q is saved as %q, %v; want it saved: %t", c.flag, c.value, got, err, c.ok)
		}
	}
	path := home(t)
	if code, _, errs := erpcRun(t, "", "context", "set", "bad", "ws://127.0.0.1:1/feed?access_token=hunter2"); code != exitUsage || !strings.Contains(errs, "not saved") {
		t.Errorf("exit %d, %q", code, errs)
	}
	if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "hunter2") {
		t.Errorf("the file holds a secret: %s", text)
	}
}
