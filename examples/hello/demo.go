package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
)

// demo starts the parts as processes and shows what each of them prints.
func demo() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()

	fmt.Println("erpc: one server and two clients, each in its own process")
	fmt.Println()
	server, err := start(ctx, "server", "server")
	if err != nil {
		return err
	}
	err = visitors(ctx, server)
	err = errors.Join(err, server.interrupt())
	if err != nil {
		return err
	}
	fmt.Println()
	fmt.Println("All three ended successfully: calls, pushes and broadcasts work on this machine.")
	return nil
}

// visitors runs both clients of the server until they end.
func visitors(ctx context.Context, server *part) error {
	line, ok := <-server.first
	addr, found := strings.CutPrefix(line, "listening on ")
	if !ok || !found {
		return errors.New("the server does not listen; see its output above")
	}
	var parts []*part
	var errs []error
	for _, name := range []string{"anna", "ben"} {
		p, err := start(ctx, name, "client", "-addr", addr, "-name", name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		parts = append(parts, p)
	}
	for _, p := range parts {
		errs = append(errs, p.wait())
	}
	return errors.Join(errs...)
}

// A part is a process of the demo.
type part struct {
	name  string
	cmd   *exec.Cmd
	first chan string // the first line that it prints; closed at its end
	out   io.Closer   // write end of the output pipe in this process; closed when the part has ended
	shown chan struct{}
}

// printing guards standard output, so that the lines of the parts don't mix.
var printing sync.Mutex

// start starts this program again as a part, until ctx ends.
func start(ctx context.Context, name string, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	r, w := io.Pipe()
	p := &part{name: name, cmd: exec.CommandContext(ctx, self, args...), first: make(chan string, 1), out: w, shown: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	go p.show(r)
	if err := p.cmd.Start(); err != nil {
		_ = w.Close() // ends show; a pipe's Close has no error
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// show prints each line prefixed with the name of the part.
func (p *part) show(r io.Reader) {
	defer close(p.shown)
	defer close(p.first)
	lines := bufio.NewScanner(r)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			p.first <- lines.Text()
		}
		printing.Lock()
		fmt.Printf("%-8s| %s\n", p.name, lines.Text())
		printing.Unlock()
	}
}

// wait waits for the end of the part and of its output.
func (p *part) wait() error {
	err := p.cmd.Wait()
	_ = p.out.Close() // a pipe's has no error
	<-p.shown
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// interrupt ends the server like Ctrl-C. On systems without signals it kills
// the server, and ignores its exit status.
func (p *part) interrupt() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		_ = p.cmd.Process.Kill() // it may have ended already, which wait reports
		_ = p.wait()
		return nil
	}
	return p.wait()
}
