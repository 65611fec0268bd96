package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// docs/limits.md has the defaults of Options.
func TestLimitsAreThoseOfThePage(t *testing.T) {
	opt := Options{History: []History{{}}}
	opt.setDefaults()
	seconds := func(d time.Duration) string { return fmt.Sprintf("%d s", d/time.Second) }
	page, err := os.ReadFile("../docs/limits.md")
	check(t, err)
	for name, value := range map[string]string{
		"`Options.MaxCalls`":              fmt.Sprint(opt.MaxCalls),
		"`Options.MaxRooms`":              fmt.Sprint(opt.MaxRooms),
		"`Options.Answer`":                seconds(opt.Answer),
		"`Options.Beat`":                  seconds(opt.Beat),
		"`Options.Linger`":                seconds(opt.Linger),
		"`History.Size`":                  fmt.Sprint(opt.History[0].Size),
		"`History.Age`":                   seconds(opt.History[0].Age),
		"members that one `Change` lists": fmt.Sprint(maxChanges),
		"name of a room":                  fmt.Sprintf("%d bytes", maxRoomName),
	} {
		if row := "| " + name + " | " + value + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/limits.md has no row %q", row)
		}
	}
}
