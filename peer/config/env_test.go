package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Environment variables may appear in values of every kind and form.
func TestEnvironment(t *testing.T) {
	t.Setenv("T_WORD", "wörd, # x")
	t.Setenv("T_PORT", "9090")
	t.Setenv("T_EMPTY", "")
	type cfg struct {
		A     string   `yaml:"a" ini:"a"`
		B     string   `yaml:"b" ini:"b"`
		Port  uint16   `yaml:"port" ini:"port"`
		Hosts []string `yaml:"hosts" ini:"hosts"`
	}
	want := cfg{"<wörd, # x>", "${T_WORD} $5 $${", 9090, []string{"h:9090", "def", ""}}
	for format, data := range map[Format]string{
		YAML: "a: <${T_WORD}>\nb: \"$${T_WORD} $5 $$${\"\nport: ${T_PORT}\nhosts: [\"h:${T_PORT}\", '${T_NONE:-def}', \"${T_EMPTY}\"]\n",
		INI:  "a = <${T_WORD}>\nb = $${T_WORD} $5 $$${\nport = ${T_PORT}\nhosts = h:${T_PORT}, ${T_NONE:-def}, ${T_EMPTY}\n",
	} {
		var got cfg
		if err := Parse(format, "f", []byte(data), "", &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v\n got %+v\nwant %+v", format, err, got, want)
		}
		written, err := AppendDefault(nil, format, "", want)
		if err != nil {
			t.Fatal(err)
		}
		var again cfg
		if err := Parse(format, "f", written, "", &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%v: written and read %+v, %v, from\n%s", format, again, err, written)
		}
	}
	t.Setenv("T_BAD", "\xff")
	t.Setenv("T_LONG", strings.Repeat("x", 100_000))
	for data, text := range map[string]string{
		"a: ${T_NONE}": "T_NONE is not set", "a: ${T_WORD": "close the variable", "a: ${}": "letters, digits and _",
		"a: ${9A}": "letters, digits and _", "a: ${T_BAD}": "T_BAD is not UTF-8",
		"a: " + strings.Repeat("${T_LONG}", 11): "more than 1024 KiB", "port: ${T_WORD}": "whole number",
	} {
		err := Parse(YAML, "f", []byte(data), "", new(cfg))
		var e *Error
		if !errors.As(err, &e) || e.Line != 1 || e.Key == "" || !strings.Contains(err.Error(), text) {
			t.Errorf("%.40s: %v; want the key, the line and %q", data, err, text)
		}
	}
}
