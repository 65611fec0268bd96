package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// PageName is the name of the file to which Save writes the text.
const PageName = "performance.md"

// Save writes the page into docs, its charts beside it, and removes the charts
// that the page no longer has.
func (p Page) Save(docs string) error {
	for name, svg := range p.Charts {
		if err := writeFile(filepath.Join(docs, chartDir, name), svg); err != nil {
			return err
		}
	}
	if err := p.removeOldCharts(filepath.Join(docs, chartDir)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return writeFile(filepath.Join(docs, PageName), p.Markdown)
}

func (p Page) removeOldCharts(dir string) error {
	old, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) { // the page has no charts, and never had
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range old {
		if _, ok := p.Charts[e.Name()]; !ok && strings.HasSuffix(e.Name(), ".svg") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFile writes a file of the report, and makes its directory if that is
// missing.
func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
