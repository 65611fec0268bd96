package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample has a field of every kind.
type sample struct {
	Name    string        `yaml:"name" ini:"name" comment:"Name; of the peer"`
	Debug   bool          `yaml:"debug" ini:"debug" comment:"Print each message\nand its metadata"`
	Small   int8          `yaml:"small" ini:"small"`
	Big     int64         `yaml:"big" ini:"big"`
	Port    uint16        `yaml:"listen_port" ini:"listen_port" comment:"Listen port; for server role"`
	Huge    uint64        `yaml:"huge" ini:"huge"`
	Ratio   float64       `yaml:"ratio" ini:"ratio"`
	Half    float32       `yaml:"half" ini:"half"`
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"ns,µs,ms,s,m,h"`
	Hosts   []string      `yaml:"hosts" ini:"hosts" comment:"Hosts to dial"`
	Addr    netip.Addr    `yaml:"addr" ini:"addr" comment:"Reads itself"`
	TLS     tlsPart       `yaml:"tls" ini:"tls" comment:"Encryption"`
	limits
	Skipped map[string]int `yaml:"-" ini:"-"`
	hidden  int
}

type tlsPart struct {
	Cert  string    `yaml:"cert" ini:"cert" comment:"Certificate file"`
	Inner innerPart `yaml:"inner" ini:"inner"`
	Key   string    `yaml:"key" ini:"key" comment:"Key file"`
}

type innerPart struct {
	Depth int `yaml:"depth" ini:"depth" comment:"Chain length"`
}

// limits is embedded: its fields appear among those of the outer struct.
type limits struct {
	MaxConn int32 `yaml:"max_conn" ini:"max_conn" comment:"Connections at most"`
}

func fullSample() sample {
	return sample{
		Name: "peer one # x", Debug: true, Small: -128, Big: -1 << 63, Port: 9090, Huge: 1<<64 - 1,
		Ratio: 0.1, Half: 1e-3, Timeout: 90 * time.Second, Hosts: []string{"a:1", "b, c", ""},
		Addr: netip.MustParseAddr("::1"), TLS: tlsPart{Cert: "/etc/a.pem", Inner: innerPart{Depth: 3}, Key: "no"},
		limits: limits{MaxConn: 7}, hidden: 1,
	}
}

// Both formats must agree on each of these.
func TestParse(t *testing.T) {
	tests := []struct {
		name, section, yaml, ini string
		want                     func(*sample)
	}{
		{"nothing said keeps the defaults", "", "", "", func(*sample) {}},
		{"only comments", "", "# a\n", "; a\n# b\n", func(*sample) {}},
		{"empty section", "peer", "peer:\n", "[peer]\n", func(*sample) {}},
		{"top level", "", "name: a\nlisten_port: 1\n", "name = a\nlisten_port = 1\n",
			func(s *sample) { s.Name, s.Port = "a", 1 }},
		{"byte order mark and CRLF", "p", "\uFEFFp:\r\n  name: a\r\n", "\uFEFF[p]\r\nname = a\r\n",
			func(s *sample) { s.Name = "a" }},
		{"other sections do not matter", "p", "q: {zzz: &x 1, y: *x}\np: {name: a}\nr: 1\n",
			"zzz = 1\n[q]\nzzz = 1\nzzz = 2\n[p]\nname = a\n[pp]\nx = 1\n", func(s *sample) { s.Name = "a" }},
		{"dotted section", "a.b", "a:\n  b:\n    name: x\n  c: 1\n", "[a]\nc = 1\n[a.b]\nname = x\n",
			func(s *sample) { s.Name = "x" }},
		{"nested structs", "p", "p:\n  name: x\n  tls:\n    cert: c\n    inner:\n      depth: 9\n",
			"[p.tls.inner]\ndepth = 9\n[p]\nname = x\n[p.tls]\ncert = c\n",
			func(s *sample) { s.Name, s.TLS.Cert, s.TLS.Inner.Depth = "x", "c", 9 }},
		{"nested struct at the top", "", "tls: {key: k}\n", "[tls]\nkey = k\n", func(s *sample) { s.TLS.Key = "k" }},
		{"embedded struct", "", "max_conn: 5\n", "max_conn = 5\n", func(s *sample) { s.MaxConn = 5 }},
		{"limits of integers", "", "small: -128\nbig: 9223372036854775807\nhuge: 18446744073709551615\n",
			"small = -128\nbig = 9223372036854775807\nhuge = 18446744073709551615\n",
			func(s *sample) { s.Small, s.Big, s.Huge = -128, 1<<63-1, 1<<64-1 }},
		{"floats", "", "ratio: 1e3\nhalf: .5\n", "ratio = 1e3\nhalf = .5\n", func(s *sample) { s.Ratio, s.Half = 1000, 0.5 }},
		{"bool words", "", "debug: On\n", "debug = On\n", func(s *sample) { s.Debug = true }},
		{"bool off", "", "debug: no\n", "debug = no\n", func(s *sample) { s.Debug = false }},
		{"durations", "", "timeout: 1h30m\n", "timeout: 1h30m\n", func(s *sample) { s.Timeout = 90 * time.Minute }},
		{"zero needs no unit", "", "timeout: 0\n", "timeout = 0\n", func(s *sample) { s.Timeout = 0 }},
		{"negative duration", "", "timeout: -1ms\n", "timeout = -1ms\n", func(s *sample) { s.Timeout = -time.Millisecond }},
		{"text stays text", "", "name: 007\n", "name = 007\n", func(s *sample) { s.Name = "007" }},
		{"a word that is a bool elsewhere", "", "name: no\n", "name = no\n", func(s *sample) { s.Name = "no" }},
		{"empty text", "", "name:\n", "name =\n", func(s *sample) { s.Name = "" }},
		{"empty text in quotes", "", `name: ""`, `name = ""`, func(s *sample) { s.Name = "" }},
		{"comment behind a value", "", "name: a#b # c\n", "name = a#b # c\n", func(s *sample) { s.Name = "a#b" }},
		{"comment instead of a value", "", "name: # c\n", "name = # c\n", func(s *sample) { s.Name = "" }},
		{"double quotes", "", `name: " a\t\"b\" # \u00e9" # c`, `name = " a\t\"b\" # \u00e9" # c`,
			func(s *sample) { s.Name = " a\t\"b\" # é" }},
		{"single quotes", "", `name: 'C:\dir # x' # c`, `name = 'C:\dir # x' # c`, func(s *sample) { s.Name = `C:\dir # x` }},
		{"backslash at the end", "", `name: a\`, `name = a\`, func(s *sample) { s.Name = `a\` }},
		{"list", "", "hosts: [a, 'b, c', \"\", 4]\n", "hosts = a, 'b, c', \"\", 4 ; x\n",
			func(s *sample) { s.Hosts = []string{"a", "b, c", "", "4"} }},
		{"list of one", "", "hosts:\n- a b\n", "hosts = a b\n", func(s *sample) { s.Hosts = []string{"a b"} }},
		{"list of nothing", "", "hosts: []\n", "hosts =\n", func(s *sample) { s.Hosts = nil }},
		{"list that is null", "", "hosts: ~\n", "hosts = ; none\n", func(s *sample) { s.Hosts = nil }},
		{"type that reads itself", "", "addr: 10.0.0.1\n", "addr = 10.0.0.1\n",
			func(s *sample) { s.Addr = netip.MustParseAddr("10.0.0.1") }},
	}
	for _, tt := range tests {
		for format, data := range map[Format]string{YAML: tt.yaml, INI: tt.ini} {
			t.Run(tt.name+"/"+format.String(), func(t *testing.T) {
				got, want := fullSample(), fullSample()
				tt.want(&want)
				if err := Parse(format, "test", []byte(data), tt.section, &got); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			})
		}
	}
}

func TestNamesOfFields(t *testing.T) {
	type inline struct{ C int }
	type named struct{ D int }
	type cfg struct {
		OnlyYAML int `yaml:"only_yaml"`
		OnlyINI  int `ini:"only_ini"`
		Untagged int
		NoYAML   int            `yaml:"-" ini:"no_yaml"`
		Part     inline         `yaml:",inline"`
		named    `yaml:"named"` // unexported with a name of its own: cannot be set
		secret   int
	}
	for _, tt := range []struct {
		format Format
		want   []string
	}{
		{YAML, []string{"only_yaml", "only_ini", "untagged", "c"}},
		{INI, []string{"only_yaml", "only_ini", "untagged", "no_yaml", "c"}},
	} {
		var c cfg
		c.secret, c.D = 1, 2
		fields, err := fieldsOf(tt.format, reflect.ValueOf(&c).Elem())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fields {
			got = append(got, f.name)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.format, got, tt.want)
		}
	}
}

type checked struct {
	Low  int `yaml:"low"`
	High int `yaml:"high"`
}

var errOrder = errors.New("low is above high: swap them")

func (c *checked) SetDefaults() { c.Low, c.High = 1, 10 }

func (c *checked) Validate() error {
	if c.Low > c.High {
		return errOrder
	}
	return nil
}

func TestDefaultsAndValidate(t *testing.T) {
	for format, data := range map[Format]string{YAML: "p: {high: 5}\nbad: {low: 6, high: 5}\n", INI: "[p]\nhigh=5\n[bad]\nlow=6\nhigh=5\n"} {
		c := checked{Low: 99, High: 99}
		if err := Parse(format, "f", []byte(data), "p", &c); err != nil || c != (checked{1, 5}) {
			t.Errorf("%v: got %+v, %v", format, c, err)
		}
		err := Parse(format, "f", []byte(data), "bad", &c)
		var e *Error
		if !errors.Is(err, errOrder) || !errors.As(err, &e) || e.File != "f" || e.Section != "bad" {
			t.Errorf("%v: Validate's error was returned as %#v", format, err)
		}
	}
}

func TestErrorLeavesDefaults(t *testing.T) {
	for format, data := range map[Format]string{YAML: "low: 5\nhigh: x\n", INI: "low = 5\nhigh = x\n"} {
		c := checked{Low: 99}
		if err := Parse(format, "f", []byte(data), "", &c); err == nil {
			t.Fatalf("%v: a bad value was taken", format)
		}
		if c != (checked{1, 10}) {
			t.Errorf("%v: half of a bad file was taken: %+v", format, c)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"a.yaml": "p: {name: x}", "a.YML": "p: {name: x}", "a.ini": "[p]\nname=x", "a.conf": "[p]\nname=x", "a.cfg": "[p]\nname=x",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		var s sample
		if err := Load(path, "p", &s); err != nil || s.Name != "x" {
			t.Errorf("%s: got %q, %v", name, s.Name, err)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	var c checked
	path := filepath.Join(t.TempDir(), "none.yaml")
	err := Load(path, "p", &c)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	if want := `config: ` + path + `: section "p": file does not exist: create it, or write the defaults there`; err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	if c != (checked{1, 10}) {
		t.Errorf("the defaults are not set: %+v", c)
	}
}

func TestLoadRefusesPaths(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder.yaml")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge.ini")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<32); err != nil { // sparse: it must not be read as a whole
		t.Fatal(err)
	}
	inFile := filepath.Join(huge, "below.yaml")
	for path, want := range map[string]string{
		folder: "not a regular file", huge: "too large", inFile: "cannot stat the file", filepath.Join(dir, "a.toml"): "unknown format",
	} {
		var s sample
		if err := Load(path, "", &s); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}
