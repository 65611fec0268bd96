package main

import (
	"go/types"
	"os"
	"strings"
	"testing"
)

func TestPageOfNamesIsNotStale(t *testing.T) {
	want, err := render("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../" + pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/v7-names.md is stale: run make v7-names")
	}
	for _, part := range []string{"`NewPeer`", "| `SetMessageSizeLimit` | `erpc.SetMessageSizeLimit` |", "`NewFakeCallCmd`"} {
		if !strings.Contains(want, part) {
			t.Errorf("the page does not have %s", part)
		}
	}
}

func pkg(names ...string) *types.Package {
	p := types.NewPackage("p", "p")
	for _, name := range names {
		p.Scope().Insert(types.NewConst(0, p, name, types.Typ[types.Int], nil))
	}
	return p
}

func TestPageSaysWhatBecameOfEachName(t *testing.T) {
	v7 := map[string]*types.Package{"": pkg("Same", "Gone", "GoneToo", "hidden"), "socket": pkg("Same", "Here"), "quic": pkg("Moved"), "codec": pkg("Same")}
	our := map[string]*types.Package{"": pkg("Same"), "socket": pkg("Here"), "socket/quic": pkg("Moved")}
	for _, tc := range []struct {
		rules string
		want  []string
		err   string
	}{
		{"erpc.Gone*\tnothing\ncodec.*\tsomething", []string{
			"## erpc\n\nThe same: `Same`.\n\n| v7 | here |\n|---|---|\n| `Gone`, `GoneToo` | nothing |\n",
			"## socket\n\nThe same: `Here`.\n\n| v7 | here |\n|---|---|\n| `Same` | `erpc.Same` |\n",
			"| `Moved` | `socket/quic.Moved` |", "| `Same` | something |", "Of 7 names, methods and fields 2 are the same",
		}, ""},
		{"erpc.Gone\tnothing\ncodec.*\tsomething", nil, "erpc.GoneToo of v7 is not here"},
		{"erpc.Gone*\tnothing\ncodec.*\tsomething\nerpc.Same\tstale", nil, `no missing name fits "erpc.Same"`},
	} {
		rules, err := parseRules(tc.rules)
		if err != nil {
			t.Fatal(err)
		}
		got, err := makePage(v7, our, rules)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q: %v, want %s", tc.rules, err, tc.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
		}
		for _, part := range tc.want {
			if !strings.Contains(got, part) {
				t.Errorf("no %q in\n%s", part, got)
			}
		}
	}
	for _, bad := range []string{"erpc.X", "erpc.X\t", "[\ttext"} {
		if _, err := parseRules(bad); err == nil {
			t.Errorf("%q is taken for a rule", bad)
		}
	}
}
