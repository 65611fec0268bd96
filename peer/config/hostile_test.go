package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// No input within the size limit may take long or end the process. The time limit
// is generous, because the machine that runs this may be slow and busy.
func TestHostileFiles(t *testing.T) {
	share := 1
	if raceEnabled { // which makes the YAML library ten times as slow
		share = 8
	}
	fill := func(s string) string { return strings.Repeat(s, (maxSize-100)/len(s)/share) }
	count := func(n int, line string) string {
		var b strings.Builder
		n /= share
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	bomb.WriteString("p: {hosts: *a59}\n")
	for name, tt := range map[string]struct {
		format Format
		data   string
	}{
		"aliases":          {YAML, bomb.String()},
		"alias of itself":  {YAML, "p: &p\n  tls: *p\n"},
		"flow sequences":   {YAML, "p: " + fill("[")},
		"flow mappings":    {YAML, "p: " + fill("{a: ")},
		"closed sequences": {YAML, "p: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)},
		"block sequences":  {YAML, "p:\n " + fill("- ")},
		"complex keys":     {YAML, "p:\n " + fill("? ")},
		"indents":          {YAML, "p:\n" + strings.Repeat(" ", 1000) + "a:\n" + fill(":\n")},
		"nested tables":    {YAML, "p: " + strings.Repeat("{tls: ", 100) + strings.Repeat("}", 100)},
		"many items":       {YAML, "p: [" + fill("a,") + "]"},
		"many keys":        {YAML, "p:\n" + count(80_000, "  k%d: 1\n")},
		"anchors":          {YAML, "p:\n" + count(60_000, "- &a%d x\n")},
		"comments":         {YAML, fill("#\n")},
		"comments of keys": {YAML, "p:\n" + fill("  #\n") + "  x: 1\n"},
		"one long scalar":  {YAML, "p: {big: " + fill("9") + "}"},
		"open quote":       {YAML, "p: \"" + fill("a\n")},
		"documents":        {YAML, fill("--- a\n")},
		"tags":             {YAML, "p: " + fill("!")},
		"directives":       {YAML, fill("%TAG ! a\n")},
		"tabs":             {YAML, fill("\t")},
		"too large":        {YAML, strings.Repeat("#", maxSize+1)},

		"lines":              {INI, "[p]\n" + fill("a=\n")},
		"keys to the limit":  {INI, "[p]\n" + count(maxLines-1, "k%d=\n")},
		"sections":           {INI, count(maxLines, "[p.k%d]\n")},
		"same section":       {INI, strings.Repeat("[p]\n", maxLines)},
		"same key":           {INI, "[p]\n" + strings.Repeat("name=a\n", maxLines-1)},
		"deep section":       {INI, "[p" + fill(".tls") + "]"},
		"many deep sections": {INI, "[p]\n" + strings.Repeat("[p"+strings.Repeat(".tls", 20)+"]\n", maxLines-1)},
		"list":               {INI, "[p]\nhosts = " + fill(",")},
		"quotes":             {INI, "[p]\nhosts = " + fill(`"`)},
		"broken escapes":     {INI, "[p]\nname = \"" + fill(`\`)},
		"continuation":       {INI, "[p]\n" + strings.Repeat("name = \\\n", maxLines-1)},
		"spaces":             {INI, "[p]\nx = a" + fill(" ")},
		"NULs":               {INI, fill("\x00")},
		"nothing but [":      {INI, fill("[")},
		"too large for INI":  {INI, strings.Repeat(";", maxSize+1)},
	} {
		t.Run(name+"/"+tt.format.String(), func(t *testing.T) {
			start := time.Now()
			s := fullSample()
			err := Parse(tt.format, "f", []byte(tt.data), "p", &s)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes: %.200s", len(err.Error()), err.Error())
			}
			if took := time.Since(start); took > 2*time.Minute {
				t.Errorf("took %v", took)
			}
			t.Logf("%v: %.200v", time.Since(start), err)
		})
	}
}

func TestLimitsAreReachable(t *testing.T) {
	big := "name = '" + strings.Repeat("a", maxSize-9) + "'"
	var s sample
	if err := Parse(INI, "f", []byte(big), "", &s); err != nil || len(s.Name) != maxSize-9 {
		t.Errorf("a file of %d bytes: %v", len(big), err)
	}
	if err := Parse(INI, "f", []byte(big+" "), "", &s); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of %d bytes: got %v, want ErrTooLarge", len(big)+1, err)
	}
	lines := strings.Repeat("\n", maxLines)
	if err := Parse(INI, "f", []byte(lines), "", &s); err != nil {
		t.Errorf("%d lines: %v", maxLines, err)
	}
	if err := Parse(INI, "f", []byte(lines+"\n"), "", &s); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d lines: got %v, want ErrTooLarge", maxLines+1, err)
	}
}
