package config

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

type (
	port  uint16
	word  string
	words []word
	ratio float32
	flag2 bool
)

type deepest struct {
	Depth int `yaml:"depth"`
}

type deeper struct {
	deepest
	Extra string `yaml:"extra"`
}

// typed has named types, and types of the standard library that unmarshal
// themselves although they are structs, slices or integers.
type typed struct {
	Port  port       `yaml:"port"`
	Words words      `yaml:"words"`
	Ratio ratio      `yaml:"ratio"`
	Flag  flag2      `yaml:"flag"`
	Level slog.Level `yaml:"level"`
	Since time.Time  `yaml:"since"`
	IP    net.IP     `yaml:"ip"`
	Shout shout      `yaml:"shout"`
	deeper
}

// shout is read in lower case and written in upper case.
type shout struct{ text string }

func (s *shout) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("say something")
	}
	s.text = strings.ToLower(string(text))
	return nil
}

func (s *shout) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(s.text)), nil }

func TestNamedAndSelfReadingTypes(t *testing.T) {
	want := typed{
		Port: 1, Words: words{"a", "b c"}, Ratio: 0.25, Flag: true, Level: slog.LevelWarn,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), IP: net.IPv4(10, 0, 0, 1), Shout: shout{"hey"},
		deeper: deeper{deepest{4}, "x"},
	}
	for format, data := range map[Format]string{
		YAML: "{port: 1, words: [a, b c], ratio: 0.25, flag: yes, level: warn, since: 2026-01-02T03:04:05Z, ip: 10.0.0.1, shout: HeY, depth: 4, extra: x}",
		INI:  "port=1\nwords=a,b c\nratio=0.25\nflag=yes\nlevel=warn\nsince=2026-01-02T03:04:05Z\nip=10.0.0.1\nshout=HeY\ndepth=4\nextra=x\n",
	} {
		var got typed
		if err := Parse(format, "f", []byte(data), "", &got); err != nil {
			t.Fatalf("%v: %v", format, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got  %+v\nwant %+v", format, got, want)
		}
		// By value: shout writes itself through its pointer, which AppendDefault has to make.
		written, err := AppendDefault(nil, format, "p", got)
		if err != nil {
			t.Fatalf("%v: %v", format, err)
		}
		var again typed
		if err := Parse(format, "f", written, "p", &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%v: written and read: %+v, %v, from\n%s", format, again, err, written)
		}
	}
}

func TestSelfReadingTypeRefuses(t *testing.T) {
	for format, data := range map[Format]string{YAML: "a: 1\nb:\n", INI: "a = 1\nb =\n"} {
		got := struct {
			A int
			B shout
		}{5, shout{"kept"}}
		err := Parse(format, "f", []byte(data), "", &got)
		if want := `config: f:2: key "b": value "": say something`; err == nil || err.Error() != want {
			t.Errorf("%v: got  %v\nwant %s", format, err, want)
		}
		if got.A != 5 || got.B.text != "kept" {
			t.Errorf("%v: half of a bad file was taken: %+v", format, got)
		}
	}
}

// outer validates by reading another configuration.
type outer struct {
	Name string `yaml:"name"`
}

func (o *outer) Validate() error {
	return Parse(INI, "other.ini", []byte("x = 1"), "", &struct{ Y int }{})
}

func TestValidateErrorKeepsItsPlace(t *testing.T) {
	err := Parse(YAML, "f", []byte("name: a"), "", &outer{})
	want := `config: f: the values do not fit together: config: other.ini:1: key "x": unknown key: the known ones are y`
	if err == nil || err.Error() != want || !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestWrittenFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	path := filepath.Join(t.TempDir(), "a.ini")
	if err := WriteDefault(path, "", sample{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		t.Errorf("others may open it: %v", mode)
	}
}

// The package comment promises it; run it with the race detector.
func TestConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ini")
	want := fullSample()
	var wrote, refused int
	var mu sync.Mutex // guards the two
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			err := WriteDefault(path, "p", &want)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wrote++
			} else {
				refused++
			}
		})
	}
	wg.Wait()
	if wrote != 1 || refused != 3 {
		t.Fatalf("%d wrote the file, %d were refused", wrote, refused)
	}
	for range 4 {
		wg.Go(func() {
			got := sample{hidden: want.hidden}
			if err := Load(path, "p", &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	wg.Wait()
}

func TestINIText(t *testing.T) {
	for raw, want := range map[string]string{
		``: "", `a`: "a", ` a b `: "a b", `a;b`: "a;b", `a ;b`: "a", "a\t#b": "a", `;a`: "", `#`: "",
		`it's`: "it's", `say "x"`: `say "x"`, `a, b`: "a, b", `a=b:c`: "a=b:c",
		`"a;b" ; c`: "a;b", `"a"#c`: "a", `''`: "", `'"'`: `"`, `"'"`: `'`, `"\\"`: `\`, `C:\x`: `C:\x`,
	} {
		if got, err := unquoteINI(raw); err != nil || got != want {
			t.Errorf("unquoteINI(%s) = %q, %v, want %q", raw, got, err, want)
		}
	}
}

func TestINIList(t *testing.T) {
	for raw, want := range map[string][]string{
		``: nil, ` `: nil, `# a, b`: nil, `a`: {"a"}, `a b , c`: {"a b", "c"}, `a#b, c ;d, e`: {"a#b", "c"},
		`""`: {""}, `'', ""`: {"", ""}, `"a,b",'c,d'`: {"a,b", "c,d"}, `"a" # b`: {"a"}, `it's, 5"`: {"it's", `5"`},
	} {
		if got, err := splitINI(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("splitINI(%s) = %q, %v, want %q", raw, got, err, want)
		}
	}
}
