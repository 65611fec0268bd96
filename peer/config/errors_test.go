package config

import (
	"errors"
	"strings"
	"testing"
)

// Each message names the file, the line, the section and the key, and says
// what to do.
func TestErrors(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		data   string
		key    string
		line   int
		is     error
		want   string
	}{
		{"unknown key", YAML, "p:\n  tls:\n    cart: x\n", "tls.cart", 3, ErrUnknownKey,
			`config: f:3: section "p": key "tls.cart": unknown key: the known ones are cert, inner, key`},
		{"unknown key", INI, "[p]\n\n[p.tls]\n; c\ncart = x\n", "tls.cart", 5, ErrUnknownKey,
			`config: f:5: section "p": key "tls.cart": unknown key: the known ones are cert, inner, key`},
		{"unknown section below", INI, "[p]\n[p.ssl]\n", "ssl", 2, ErrUnknownKey, ""},
		{"skipped field", YAML, "p: {skipped: {a: 1}}", "skipped", 1, ErrUnknownKey, ""},
		{"unexported field", INI, "[p]\nhidden = 1\n", "hidden", 2, ErrUnknownKey, ""},
		{"duplicate key", YAML, "p:\n  name: a\n  name: b\n", "name", 3, ErrDuplicateKey,
			`config: f:3: section "p": key "name": given more than once: keep one of them`},
		{"duplicate key", INI, "[p]\nbig = 1\nname = a\nname = a\n", "name", 3, ErrDuplicateKey,
			`config: f:3: section "p": key "name": given more than once: keep one of them`},
		{"duplicate section", YAML, "p: {}\np: {}\n", "p", 2, ErrDuplicateKey, ""},
		{"duplicate section", INI, "[p]\n[q]\n[p]\n", "", 3, ErrDuplicateKey,
			`config: f:3: section "p": section "p": given more than once: keep one of them`},
		{"key and section", INI, "[p]\ntls = a\n[p.tls]\n", "tls", 3, ErrDuplicateKey, ""},
		{"section and key", INI, "[p.tls]\n[p]\ntls = a\n", "tls", 3, ErrDuplicateKey, ""},
		{"no section", YAML, "q: {name: a}", "", 0, ErrNoSection, `config: f: section "p": the section is missing: add it to the file`},
		{"no section", INI, "name = a\n[q]\n", "", 0, ErrNoSection, `config: f: section "p": the section is missing: add it to the file`},
		{"empty file", YAML, "", "", 0, ErrNoSection, ""},
		{"section is a value", YAML, "p: 1\n", "", 1, nil, "a single value or a list where keys are expected"},

		{"bare number", YAML, "p: {timeout: 300}", "timeout", 1, nil,
			`config: f:1: section "p": key "timeout": value "300" is not a duration: write it with its unit, as 3s, 100ms or 1h30m`},
		{"bare number", INI, "[p]\ntimeout = 300", "timeout", 2, nil, `as 3s, 100ms or 1h30m`},
		{"too large", YAML, "p: {listen_port: 65536}", "listen_port", 1, nil, `value "65536": write a whole number from 0 to 65535`},
		{"negative", INI, "[p]\nlisten_port = -1", "listen_port", 2, nil, `value "-1": write a whole number from 0 to 65535`},
		{"too small", INI, "[p]\nsmall = -129", "small", 2, nil, `value "-129": write a whole number from -128 to 127`},
		{"int64 range", YAML, "p: {big: 9223372036854775808}", "big", 1, nil, `from -9223372036854775808 to 9223372036854775807`},
		{"uint64 range", INI, "[p]\nhuge = 18446744073709551616", "huge", 2, nil, `from 0 to 18446744073709551615`},
		{"fraction", YAML, "p: {big: 1.5}", "big", 1, nil, "whole number"},
		{"not finite", YAML, "p: {ratio: .inf}", "ratio", 1, nil, `value ".inf" is not a finite float64`},
		{"not finite", INI, "[p]\nratio = NaN", "ratio", 2, nil, `value "NaN" is not a finite float64`},
		{"float32 range", INI, "[p]\nhalf = 1e39", "half", 2, nil, `not a finite float32`},
		{"bool", YAML, "p: {debug: maybe}", "debug", 1, nil, `value "maybe": write true or false`},
		{"null number", YAML, "p: {big: }", "big", 1, nil, "delete the key to keep the default"},
		{"empty number", INI, "[p]\nbig =\n", "big", 2, nil, "delete the key to keep the default"},
		{"address", INI, "[p]\naddr = nowhere", "addr", 2, nil, `value "nowhere": ParseAddr`},
		{"long value is cut", INI, "[p]\nbig = " + strings.Repeat("é", 100), "big", 2, nil, strings.Repeat("é", 40) + `"…`},

		{"list for one value", YAML, "p: {name: [a]}", "name", 1, nil, "a list where one value is expected"},
		{"mapping for one value", YAML, "p: {name: {a: b}}", "name", 1, nil, "nested keys where one value is expected"},
		{"section for one value", INI, "[p.name]", "name", 1, nil, "nested keys where one value is expected"},
		{"value for a struct", YAML, "p: {tls: a}", "tls", 1, nil, "the known ones are cert, inner, key"},
		{"value for a struct", INI, "[p]\ntls = a", "tls", 2, nil, `make it a section whose name ends in ".tls"`},
		{"value for a list", YAML, "p: {hosts: a}", "hosts", 1, nil, "not a list"},
		{"list of lists", YAML, "p:\n  hosts:\n  - [a]\n", "hosts", 3, nil, "only texts can be its items"},
		{"extra comma", INI, "[p]\nhosts = a,,b", "hosts", 2, nil, `remove the extra comma, or write ""`},
		{"last comma", INI, "[p]\nhosts = a, ", "hosts", 2, nil, "extra comma"},
		{"items without comma", INI, "[p]\nhosts = 'a' 'b'", "hosts", 2, nil, "separate items by commas"},
		{"text behind quotes", INI, `[p]` + "\n" + `name = "a" b`, "name", 2, nil, "put all of it into the quotes"},
		{"open quote", INI, `[p]` + "\n" + `name = "a`, "name", 2, nil, "close them"},
		{"open single quote", INI, `[p]` + "\n" + `name = 'a`, "name", 2, nil, "close them"},
		{"unknown escape", INI, `[p]` + "\n" + `name = "C:\dir"`, "name", 2, nil, `write \\ for \`},
		{"byte escape", INI, `[p]` + "\n" + `name = "\xff"`, "name", 2, nil, "not UTF-8"},

		{"syntax", YAML, "p:\n  a: [\n", "", 2, nil, "the YAML cannot be parsed: "},
		{"tabs", YAML, "p:\n\tname: a\n", "", 2, nil, "cannot start any token"},
		{"second document", YAML, "p: {}\n---\np: {}\n", "", 2, nil, "a second YAML document"},
		{"alias", YAML, "x: &x {name: a}\np: *x\n", "", 2, nil, "aliases are not accepted"},
		{"alias of a value", YAML, "x: &x a\np: {name: *x}\n", "name", 2, nil, "aliases are not accepted"},
		{"anchor", YAML, "p: {name: &x a}\n", "name", 1, nil, "aliases are not accepted"},
		{"alias in a list", YAML, "x: &x a\np: {hosts: [*x]}\n", "hosts", 2, nil, "aliases are not accepted"},
		{"merge key", YAML, "x: &x {name: a}\np: {<<: *x}\n", "<<", 2, nil, "aliases are not accepted"},
		{"tag", YAML, "p: {name: !!binary aGk=}\n", "name", 1, nil, "write the value alone"},
		{"list as key", YAML, "p: {[a]: b}\n", "", 1, nil, "write a name"},
		{"encoding", YAML, "p: {name: \"\xff\"}", "", 0, nil, "not UTF-8"},
		{"encoding", INI, "\xff\xfe[\x00p\x00]\x00", "", 0, nil, "not UTF-8"},

		{"no key", INI, "[p]\n= a\n", "", 2, nil, "no key before the = sign"},
		{"no equals sign", INI, "[p]\nname\n", "", 2, nil, `neither key, section nor comment: "name"`},
		{"numbered key", INI, "[p]\n- = a\n", "", 2, nil, "starting with a letter"},
		{"quoted key", INI, "[p]\n\"a=b\" = c\n", "", 2, nil, "without quotes"},
		{"open section", INI, "[p\n", "", 1, nil, "close the bracket"},
		{"empty section name", INI, "[p]\n[ ]\n", "", 2, nil, "section without a name"},
		{"no section name", INI, "[]\n", "", 0, nil, "empty section name"},
		{"key behind section", INI, "[p] name = a\n", "", 1, nil, "text after [section]"},
		{"bracket in comment", INI, "[p] ; a]\n", "", 1, nil, "text after [section]"},
		{"default section", INI, "[p]\n[DEFAULT]\nname = a\n", "", 2, nil, "the section DEFAULT is the top level"},
		{"lines in backquotes", INI, "[p]\nname = `a\nb`\n", "", 2, nil, "text over several lines"},
		{"lines in triple quotes", INI, "[p]\nname = \"\"\"a\nb\"\"\"\n", "", 2, nil, "text over several lines"},
		{"control character", INI, "[p]\nname = a\x00b\n", "", 2, nil, "control character U+0000"},
		{"control character", YAML, "p: {name: a\x00b}\n", "", 0, nil, "control characters are not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"/"+tt.format.String(), func(t *testing.T) {
			s := fullSample()
			err := Parse(tt.format, "f", []byte(tt.data), "p", &s)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.File != "f" || e.Section != "p" || e.Key != tt.key || e.Line != tt.line {
				t.Errorf("place: file %q, section %q, key %q, line %d; want key %q, line %d (%v)", e.File, e.Section, e.Key, e.Line, tt.key, tt.line, err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
			if strings.HasPrefix(tt.want, "config: ") && err.Error() != tt.want || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
		})
	}
}

// A mistake in the struct is reported with any file, and names the field.
func TestUnsupportedStructs(t *testing.T) {
	type inner struct{ F func() }
	for name, tt := range map[string]struct {
		cfg  any
		want string
	}{
		"nil":            {nil, "cannot read into <nil>: pass a pointer to a struct"},
		"struct":         {sample{}, "pass a pointer to a struct"},
		"nil pointer":    {(*sample)(nil), "pass a pointer to a struct"},
		"pointer to map": {&map[string]int{}, "pass a pointer to a struct"},
		"map field":      {&struct{ M map[string]int }{}, "M: a file cannot hold a map[string]int: tag it"},
		"pointer field":  {&struct{ P *int }{}, "P: a file cannot hold a *int"},
		"slice of ints":  {&struct{ S []int }{}, "S: a file cannot hold a []int"},
		"interface":      {&struct{ E error }{}, "E: a file cannot hold a error"},
		"nested":         {&struct{ I inner }{}, "F: a file cannot hold a func()"},
		"two of a name": {&struct {
			A, B int `yaml:"x"`
		}{}, `two fields of struct`},
		"bad name": {&struct {
			A int `yaml:"a b"`
		}{}, `A: name "a b": use letters`},
		"dotted name": {&struct {
			A int `yaml:"a.b"`
		}{}, `A: name "a.b": use letters`},
		"reserved name": {&struct {
			A int `yaml:"DEFAULT"`
		}{}, "the name DEFAULT is reserved"},
		"name that is -x": {&struct {
			A int `yaml:"-x"`
		}{}, `A: name "-x": use letters`},
	} {
		for _, format := range []Format{YAML, INI} {
			err := Parse(format, "f", nil, "", tt.cfg)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s/%v: got %v, want %q", name, format, err, tt.want)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	var s sample
	for _, section := range []string{".", "a.", "a..b", "a b", "[a]", "a\nb", "DEFAULT", "-a", strings.Repeat("a.", 40) + "a"} {
		for _, format := range []Format{YAML, INI} {
			if err := Parse(format, "f", nil, section, &s); err == nil || !strings.Contains(err.Error(), "section name") {
				t.Errorf("section %q, %v: got %v", section, format, err)
			}
			if _, err := AppendDefault(nil, format, section, &s); err == nil {
				t.Errorf("section %q, %v: it was written", section, format)
			}
		}
	}
	if err := Parse(Format(7), "f", nil, "", &s); !errors.Is(err, ErrUnknownFormat) || !strings.Contains(err.Error(), "format(7)") {
		t.Errorf("got %v, want ErrUnknownFormat", err)
	}
	if _, err := AppendDefault(nil, Format(7), "", &s); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("got %v, want ErrUnknownFormat", err)
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		e    Error
		want string
	}{
		{Error{Err: ErrNoSection}, "config: the section is missing: add it to the file"},
		{Error{Line: 3, Err: errors.New("x")}, "config: line 3: x"},
		{Error{File: "f", Line: 3, Key: "k", Err: errors.New("x")}, `config: f:3: key "k": x`},
	} {
		if got := tt.e.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
