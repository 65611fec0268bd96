package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
)

func TestMain(m *testing.M) {
	erpc.SetLoggerLevel("ERROR")
	wait.Main(m)
}

// The written file can be read, edited and read again, in both formats.
func TestBothFormats(t *testing.T) {
	for _, c := range []struct {
		name   string
		header string      // in the server's section
		edits  [][2]string // from, to
	}{
		{"peers.yaml", "server:\n", [][2]string{{"  listen_port: 9090", "  listen_port: 0"}, {"default_body_codec: json", "default_body_codec: xml"}, {"dial_timeout: 10s", "dial_timeout: 1m30s"}}},
		{"peers.ini", "[server]\n", [][2]string{{"listen_port = 9090", "listen_port = 0"}, {"default_body_codec = json", "default_body_codec = xml"}, {"dial_timeout = 10s", "dial_timeout = 1m30s"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			var out strings.Builder
			cfg, err := load(&out, path)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Server.ListenPort != 9090 || cfg.Client.RedialTimes != 3 || !strings.Contains(out.String(), path) {
				t.Errorf("defaults %+v, said %q", cfg, &out)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			for _, part := range []string{c.header, " Port to listen on; 0 is any free one\n", "redial_times"} {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in what was written:\n%s", part, text)
				}
			}
			for _, e := range c.edits {
				if !strings.Contains(text, e[0]) {
					t.Fatalf("%q is not in what was written:\n%s", e[0], text)
				}
				text = strings.ReplaceAll(text, e[0], e[1])
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out.Reset()
			if cfg, err = load(&out, path); err != nil || out.Len() > 0 {
				t.Fatalf("%v, said %q", err, &out)
			}
			if cfg.Server.ListenPort != 0 || cfg.Client.DefaultBodyCodec != "xml" || cfg.Client.DialTimeout.String() != "1m30s" || cfg.Client.RedialTimes != 3 {
				t.Errorf("read %+v", cfg)
			}
			text = strings.ReplaceAll(text, "xml", "json") // []int is not a document of XML
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := run(&out, path); err != nil || out.String() != "1+2+3+4+5 = 15, with json bodies over tcp\n" {
				t.Errorf("said %q, %v", &out, err)
			}
		})
	}
}

// A mistake in the file is reported with its place.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.yaml", "server:\n  listen_prot: 1\n", "listen_prot"},
		{"a.yaml", "server:\n  dial_timeout: 10\n", "dial_timeout"},
		{"a.ini", "[server]\nlisten_prot = 1\n", "listen_prot"},
		{"a.ini", "[client]\ndial_timeout = soon\n", "dial_timeout"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err := run(&out, path)
		if err == nil {
			t.Errorf("%s was taken", c.text)
			continue
		}
		section, _, _ := strings.Cut(strings.Trim(c.text, "["), "\n")
		for _, part := range []string{path, strings.Trim(section, "]:"), c.want} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
}
