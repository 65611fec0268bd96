package config

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		file, section string
		cfg           any
	}{
		{"full.yaml", "servers.main", fullSample()},
		{"full.ini", "servers.main", fullSample()},
		{"zero.yaml", "", &sample{}},
		{"zero.ini", "", &sample{}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			path := filepath.Join("testdata", tt.file)
			format, err := FormatOf(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := AppendDefault([]byte("# kept\n"), format, tt.section, tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	none := fullSample()
	none.Hosts = []string{}
	blank := fullSample()
	blank.Hosts = []string{""}
	for name, want := range map[string]sample{"zero": {}, "full": fullSample(), "no host": none, "one empty host": blank} {
		for _, file := range []string{"a.yaml", "a.ini"} {
			for _, section := range []string{"", "p", "a.b.c"} {
				path := filepath.Join(t.TempDir(), file)
				if err := WriteDefault(path, section, &want); err != nil {
					t.Fatal(err)
				}
				got := sample{Name: "overwritten", Hosts: want.Hosts[:0:0], hidden: want.hidden}
				if err := Load(path, section, &got); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s, %s, section %q:\ngot  %+v\nwant %+v", name, file, section, got, want)
				}
			}
		}
	}
}

func TestWriteDefaultKeepsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteDefault(path, "p", &sample{})
	var e *Error
	if !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || e.File != path || e.Section != "p" {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file now holds %q, %v", data, err)
	}
}

func TestWriteDefaultErrors(t *testing.T) {
	dir := t.TempDir()
	type onlyReads struct{ A readsOnly }
	for name, tt := range map[string]struct {
		path string
		cfg  any
		want string
	}{
		"format":      {"a.toml", sample{}, "unknown format"},
		"no folder":   {"none/a.yaml", sample{}, "cannot open the file"},
		"nil":         {"a.yaml", nil, "cannot write a <nil>"},
		"nil pointer": {"a.yaml", (*sample)(nil), "cannot write a *config.sample"},
		"no struct":   {"a.ini", 5, "cannot write a int"},
		"not UTF-8":   {"a.yaml", sample{TLS: tlsPart{Cert: "\xff"}}, `key "tls.cert": value "\xff" is not UTF-8`},
		"bad item":    {"a.ini", sample{Hosts: []string{"\xff"}}, `key "hosts": value "\xff" is not UTF-8`},
		"infinite":    {"a.ini", sample{Ratio: math.Inf(1)}, `key "ratio": +Inf cannot be written`},
		"not written": {"a.yaml", onlyReads{}, "give it a MarshalText method"},
		"field":       {"a.ini", struct{ C chan int }{}, "a file cannot hold a chan int"},
	} {
		path := filepath.Join(dir, tt.path)
		err := WriteDefault(path, "", tt.cfg)
		var e *Error
		if !errors.As(err, &e) || e.File != path || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left a file behind: %v", name, err)
		}
	}
}

type readsOnly struct{}

func (*readsOnly) UnmarshalText([]byte) error { return nil }

func TestStructsWithoutFields(t *testing.T) {
	type empty struct {
		Part struct{} `comment:"nothing"`
	}
	for _, format := range []Format{YAML, INI} {
		for _, section := range []string{"", "p"} {
			data, err := AppendDefault(nil, format, section, empty{})
			if err != nil {
				t.Fatal(err)
			}
			if err := Parse(format, "f", data, section, &empty{}); err != nil {
				t.Errorf("%v: cannot read back %q: %v", format, data, err)
			}
		}
	}
	err := Parse(YAML, "f", []byte("part: {x: 1}"), "", &empty{})
	if err == nil || !strings.Contains(err.Error(), "no keys are known here") {
		t.Errorf("got %v", err)
	}
}

// Text that a format could mistake for something else must be quoted.
func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"tcp": "tcp", "/run/a.sock": "/run/a.sock", "a@b-c+d": "a@b-c+d",
		"": `""`, "No": `"No"`, "null": `"null"`, "~": `"~"`, "1": `"1"`, "-": `"-"`, ".5": `".5"`,
		"a b": `"a b"`, "a:": `"a:"`, "a,b": `"a,b"`, "a#": `"a#"`, `a"`: `"a\""`, "a\nb": `"a\nb"`, "é\u2028": `"é\u2028"`,
	} {
		if got, err := quote(text); err != nil || got != want {
			t.Errorf("quote(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
}

// A comment must never become content.
func TestComments(t *testing.T) {
	got := string(appendComment(nil, "  # ", "one; two\r\n\nthree\rname: x\u2028y\x00"))
	if want := "  # one; two\n  #\n  # three name: x y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
