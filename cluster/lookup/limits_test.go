package lookup

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// docs/limits.md has the defaults of Options.
func TestLimitsAreThoseOfThePage(t *testing.T) {
	var opt Options
	opt.setDefaults()
	page, err := os.ReadFile("../../docs/limits.md")
	check(t, err)
	for _, row := range []string{
		fmt.Sprintf("| `Options.Attempts` | %d |", opt.Attempts),
		fmt.Sprintf("| `MaxWait` | %.0f s |", MaxWait.Seconds()),
		fmt.Sprintf("| `Options.Failures` | %d |", opt.Failures),
		fmt.Sprintf("`Options.Ejection`, %.0f s by default, and twice as long each further time, at most %.0f s", opt.Ejection.Seconds(), maxEjection.Seconds()),
		fmt.Sprintf("| `MaxPending` | %d |", MaxPending),
		fmt.Sprintf("| `MaxSticky` | %d |", MaxSticky),
	} {
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/limits.md does not say %q", row)
		}
	}
}
