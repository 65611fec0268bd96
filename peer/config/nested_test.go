package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// gate has an optional struct, and lists of structs.
type gate struct {
	Name    string      `yaml:"name" ini:"name"`
	Breaker *breaker    `yaml:"breaker" ini:"breaker" comment:"Opens when calls fail"`
	Rules   []rule      `yaml:"rules" ini:"rules" comment:"Limits of methods"`
	Inner   gateOfGates `yaml:"inner" ini:"inner"`
}

type gateOfGates struct {
	Rules []rule `yaml:"rules" ini:"rules"`
}

type breaker struct {
	Window time.Duration `yaml:"window" ini:"window"`
	Calls  int           `yaml:"calls" ini:"calls"`
}

func (b *breaker) SetDefaults() { b.Calls = 20 }

type rule struct {
	Method string   `yaml:"method" ini:"method"`
	Limit  int      `yaml:"limit" ini:"limit"`
	Who    []string `yaml:"who" ini:"who"`
	Sub    *breaker `yaml:"sub" ini:"sub"`
}

func fullGate() gate {
	return gate{
		Name: "g", Breaker: &breaker{time.Second, 20},
		Rules: []rule{{Method: "/a", Limit: 1, Who: []string{"x", "y"}}, {Method: "/b", Sub: &breaker{Calls: 3}}},
		Inner: gateOfGates{Rules: []rule{{Method: "/c"}}},
	}
}

func TestPointersAndListsOfStructs(t *testing.T) {
	for format, data := range map[Format]string{
		YAML: `
name: g
breaker: {window: 1s}
rules:
- {method: /a, limit: 1, who: [x, "y"]}
- method: /b
  sub: {calls: 3}
inner: {rules: [{method: /c}]}
`,
		INI: `
name = g
[breaker]
window = 1s
[rules.first]
method = /a
limit = 1
who = x, y
[rules.second]
method = /b
[rules.second.sub]
calls = 3
[inner.rules.1]
method = /c
`,
	} {
		var got gate
		if err := Parse(format, "f", []byte(data), "", &got); err != nil {
			t.Errorf("%v: %v", format, err)
		} else if want := fullGate(); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got\n%+v, want\n%+v", format, got, want)
		}
	}
}

func TestPointersAndListsOfStructsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, want := range []gate{{}, {Breaker: &breaker{}}, fullGate()} {
		for _, format := range []Format{YAML, INI} {
			for _, section := range []string{"", "servers.main"} {
				data, err := AppendDefault(nil, format, section, want)
				if err != nil {
					t.Fatalf("%v: %v", format, err)
				}
				var got gate
				if section == "" && len(strings.TrimSpace(string(data))) == 0 {
					t.Fatalf("%v: nothing was written", format)
				}
				if err := Parse(format, "f", data, section, &got); err != nil {
					t.Errorf("%v: %v in\n%s", format, err, data)
				} else if !reflect.DeepEqual(got, want) {
					t.Errorf("%v: wrote and read\n%+v, want\n%+v, from\n%s", format, got, want, data)
				}
			}
		}
	}
}

// What a pointer points to may belong to somebody else, such as the defaults of a
// program, so reading a file copies it.
func TestPointedToIsCopied(t *testing.T) {
	shared := &breaker{Calls: 5}
	got := gate{Breaker: shared, Rules: []rule{{Method: "/old"}}}
	if err := Parse(YAML, "f", []byte("breaker: {window: 1s}\nrules: []"), "", &got); err != nil {
		t.Fatal(err)
	}
	if *shared != (breaker{Calls: 5}) || *got.Breaker != (breaker{time.Second, 5}) || got.Rules != nil {
		t.Errorf("shared %+v, read %+v, rules %v", *shared, *got.Breaker, got.Rules)
	}
	if err := Parse(YAML, "f", []byte("breaker:\nrules:"), "", &got); err != nil || got.Breaker == nil {
		t.Errorf("null changed it: %v, %v", got.Breaker, err)
	}
}

func TestMistakesInPointersAndListsOfStructs(t *testing.T) {
	for _, tt := range []struct {
		format     Format
		data, want string
	}{
		{YAML, "rules: {a: 1}", `f:1: key "rules": not a list of mappings`},
		{YAML, "rules: 1", `f:1: key "rules": not a list of mappings`},
		{YAML, "rules: [a]", `f:1: key "rules": not a list of mappings`},
		{YAML, "rules:\n- {method: a}\n- b", `f:3: key "rules": a list that mixes mappings and other values`},
		{YAML, "rules:\n- b\n- {method: a}", `f:3: key "rules": a list of lists or mappings`},
		{YAML, "rules:\n- {}\n- {limit: x}", `f:3: key "rules.2.limit": value "x"`},
		{YAML, "name: [{a: 1}]", `key "name": a list where one value is expected`},
		{YAML, "breaker: [a]", `f:1: key "breaker": a single value or a list where keys are expected: the known ones are window, calls`},
		{YAML, "breaker: {x: 1}", `f:1: key "breaker.x": unknown key`},
		{INI, "rules = a", `f:1: key "rules": not a list of mappings: write a section for each item, whose names end in ".rules.1", ".rules.2"`},
		{INI, "[rules]\na = 1", `f:2: key "rules.a": a value where sections are expected`},
		{INI, "[rules.1]\nlimit = x", `f:2: key "rules.1.limit": value "x"`},
	} {
		got := gate{Name: "kept"}
		err := Parse(tt.format, "f", []byte(tt.data), "", &got)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got  %v\nwant %s", tt.data, err, tt.want)
		}
		if !reflect.DeepEqual(got, gate{Name: "kept"}) {
			t.Errorf("%s: half of a bad file was taken: %+v", tt.data, got)
		}
	}
}

type endless struct {
	Next *endless `yaml:"next"`
}

type endlessList struct {
	Next []endlessList `yaml:"next"`
}

func TestTypesThatContainThemselvesAreRefused(t *testing.T) {
	for _, cfg := range []any{&endless{}, &endlessList{}} {
		if err := Parse(YAML, "f", nil, "", cfg); err == nil || !strings.Contains(err.Error(), "contains itself") {
			t.Errorf("%T: %v", cfg, err)
		}
	}
}
