// Command hello compares the smallest servers of erpc, grpc-go and kitex: the size
// of the program, the memory that it has when it waits for its first client, and how
// long it takes until it accepts connections. It runs in the directory bench.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/goerpc/erpc/bench/report"
)

// A program is a server that takes -addr.
type program struct {
	name, what string
	dir, pkg   string   // where go build finds it
	args       []string // in front of -addr
}

var programs = []program{
	{"erpc", "`examples/hello`", "..", "./examples/hello", []string{"server"}},
	{"grpc-go", "a server with one method", ".", "./hello/grpc", nil},
	{"kitex", "the same", "peers/kitex", "./hello", nil},
}

func main() {
	docs := flag.String("docs", "", "directory for performance/hello.md; none: only print the bars")
	rounds := flag.Int("rounds", 5, "starts of each program; a figure is the median")
	flag.Parse()
	if err := run(*docs, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(docs string, rounds int) error {
	if rounds < 1 {
		return errors.New("-rounds must be above 0")
	}
	dir, err := os.MkdirTemp("", "erpc-hello")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // of no use to anybody
	var all []figures
	for _, p := range programs {
		binary := filepath.Join(dir, p.name)
		build := exec.Command("go", "build", "-o", binary, p.pkg)
		build.Dir, build.Stderr = p.dir, os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s: %w", p.name, err)
		}
		f, err := measure(binary, p.args, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		f.program = p
		all = append(all, f)
	}
	for _, b := range bars(all) {
		fmt.Println(b)
	}
	if docs == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(docs, "performance", "hello.md"), []byte(page(all, rounds)), 0o644)
}

// bars judges the first program by each of the others.
func bars(all []figures) (bars []report.Bar) {
	ours := all[0]
	for _, other := range all[1:] {
		for _, b := range []struct {
			what      string
			got, want float64
		}{
			{"size of the program", float64(ours.size), float64(other.size)},
			{"resident memory", float64(ours.resident), float64(other.resident)},
			{"time until it accepts", float64(ours.start), float64(other.start)},
		} {
			bars = append(bars, report.Bar{
				What: fmt.Sprintf("hello, %s, of that of %s", b.what, other.name),
				Want: "≤ 1.00", Got: fmt.Sprintf("%.2f", b.got/b.want), Measured: true, Pass: b.got <= b.want,
			})
		}
	}
	return bars
}

func page(all []figures, rounds int) string {
	var w strings.Builder
	fmt.Fprintf(&w, "# The smallest servers\n\nWritten by `make bench-hello`; do not edit it.\n\n")
	fmt.Fprintf(&w, "- Machine: %d × %s, %s\n- `go build` without flags; each program is started %d times, and each figure is the median. Memory is the resident memory half a second after the server accepts connections, before its first client.\n\n",
		runtime.NumCPU(), runtime.GOARCH, runtime.Version(), rounds)
	fmt.Fprintf(&w, "| | program | MiB | resident MiB | ms until it accepts connections |\n|---|---|---:|---:|---:|\n")
	const mib = 1 << 20
	for _, f := range all {
		fmt.Fprintf(&w, "| %s | %s | %.1f | %.1f | %.1f |\n", f.name, f.what, float64(f.size)/mib, float64(f.resident)/mib, float64(f.start.Microseconds())/1000)
	}
	return w.String()
}
