package docs

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// guides are the pages with programs and their output: a block of Go that is a
// program, followed by a block of text.
var guides = []string{
	"docs/getting-started.md", "docs/errors.md", "docs/authentication.md", "docs/delivery.md", "docs/configuration.md",
	"docs/deployment.md", "docs/observability.md", "docs/large-files.md", "docs/extending.md", "docs/protobuf.md",
}

// The programs of the guides print what the pages say.
func TestGuidesRun(t *testing.T) {
	v := newVirtual(t)
	type program struct{ source, output block }
	var programs []program
	for _, page := range guides {
		before := len(programs)
		blocks := readBlocks(t, page)
		for i, b := range blocks {
			if b.lang != "go" || !b.program() {
				continue
			}
			if i+1 == len(blocks) || blocks[i+1].lang != "text" {
				t.Errorf("%v: no block of text behind it says what it prints", b)
				continue
			}
			programs = append(programs, program{b, blocks[i+1]})
			v.add(t, map[string]string{"main.go": b.source(t)})
		}
		if len(programs) == before {
			t.Errorf("%s shows no program", page)
		}
	}
	bin := t.TempDir()
	v.build(t, "build", noDebug, "-o", bin+string(filepath.Separator))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for i, p := range programs {
		name := filepath.Join(bin, filepath.Base(v.packages[i]))
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		out, err := exec.CommandContext(ctx, name).Output()
		if err != nil || string(out) != p.output.text {
			t.Errorf("%v prints\n%s%v; the page says\n%s", p.source, out, err, p.output.text)
		}
	}
}
