package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"
)

func FuzzYAML(f *testing.F) {
	f.Add([]byte("p: {name: &a [*a], tls: {inner: {depth: 1}}}"))
	f.Add([]byte("p:\n  hosts: ['a', \"b\", c]\n  timeout: 3s\n---\n"))
	fuzzParse(f, YAML, "full.yaml")
}

func FuzzINI(f *testing.F) {
	f.Add([]byte("[p]\nname = `a\nb`\nhosts = 'a', \"b\\n\", c ; d\n[p.tls]\n- = a\n"))
	f.Add([]byte("\uFEFF[p]\r\nname: \"\"\"a\"\"\"\n[p] # ]\n"))
	fuzzParse(f, INI, "full.ini")
}

// fuzzParse feeds one format: accepted input must survive a round trip in both
// formats; refused input must give an *Error.
func fuzzParse(f *testing.F, format Format, golden string) {
	data, err := os.ReadFile(filepath.Join("testdata", golden))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, section := range []string{"", "p", "servers.main"} {
			var got sample
			if err := Parse(format, "f", data, section, &got); err != nil {
				if _, ok := err.(*Error); !ok {
					t.Fatalf("got a %T: %v", err, err)
				}
				continue
			}
			roundTrip(t, got)
		}
	})
}

// FuzzText: any text survives both formats, as a value and in a list.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", " ", "a # b", "\u2028\u0085\uFEFF", "\r\n\x00", "`", `"""`, `\`, "- a", "null", "é, ü", "\U0010FFFF"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("refused, as TestWriteDefaultErrors shows")
		}
		roundTrip(t, sample{Name: text, Hosts: []string{text, "x", text}, TLS: tlsPart{Key: text}})
	})
}

func roundTrip(t *testing.T, want sample) {
	t.Helper()
	for _, format := range []Format{YAML, INI} {
		data, err := AppendDefault(nil, format, "a.b", &want)
		if err != nil {
			t.Fatalf("%v: %v", format, err)
		}
		var got sample
		if err := Parse(format, "f", data, "a.b", &got); err != nil {
			t.Fatalf("%v: %v in\n%s", format, err, data)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: got  %+v\nwant %+v from\n%s", format, got, want, data)
		}
	}
}
