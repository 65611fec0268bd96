package docs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// faultsHeading begins the table of docs/reliability.md that this file checks.
const faultsHeading = "## Bugs found by further tests"

// lastFault is the number of the last row.
const lastFault = 40

// testsOfRepository returns the names of all tests and fuzz targets.
func testsOfRepository(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	eachFile(t, func(path string) error {
		if strings.HasSuffix(path, "_test.go") {
			return addTests(names, path)
		}
		return nil
	})
	return names
}

// TestFaultsHaveTests: each fault in the table has its row, in order, and each row
// names tests that exist. So do the other tests that the page names.
func TestFaultsHaveTests(t *testing.T) {
	page := readPage(t, "docs/reliability.md")
	exists := testsOfRepository(t)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	for _, m := range name.FindAllStringSubmatch(page, -1) {
		if !exists[m[1]] {
			t.Errorf("no test is called %s", m[1])
		}
	}
	_, section, found := strings.Cut(page, faultsHeading)
	if !found {
		t.Fatalf("the page has no heading %q", faultsHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var numbers []int
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue // no row
		}
		if len(cells) != 3 || !name.MatchString(cells[2]) || strings.TrimSpace(cells[1]) == "" {
			t.Errorf("row %d does not say what was wrong, or names no test", n)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 || !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) < len(numbers) || numbers[0] < 1 || numbers[len(numbers)-1] > lastFault {
		t.Errorf("the rows are %v", numbers)
	}
}
