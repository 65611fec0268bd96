package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PageName is the file that Save writes the text to.
const PageName = "performance.md"

// Save writes the page into docs, its charts beside it, and removes the charts
// that the page no longer has.
func (p Page) Save(docs string) error {
	dir := filepath.Join(docs, chartDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, e := range old {
		if _, ok := p.Charts[e.Name()]; !ok && strings.HasSuffix(e.Name(), ".svg") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
	}
	for name, svg := range p.Charts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(docs, PageName), []byte(p.Markdown), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
