package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc/bench/rig"
)

// A process is a running server or client.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	log  *tail
	addr string
}

// patience bounds every answer of a process beyond the time that its command
// takes by itself.
const patience = 60 * time.Second

// start runs a variant, with more in its environment, and returns when it is
// ready.
func start(binary, variant, role string, args []string, environment ...string) (*process, error) {
	p := &process{
		name: variant + " " + role,
		cmd:  exec.Command(binary, append([]string{variant, role}, args...)...),
		log:  &tail{},
	}
	p.cmd.Stderr = p.log
	p.cmd.Env = append(os.Environ(), environment...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	p.in, err = p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var h rig.Hello
	if err := p.answer(&h, 0); err != nil {
		p.stop()
		return nil, err
	}
	p.addr = h.Addr
	return p, nil
}

// send gives the process a command.
func (p *process) send(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return p.failed(err)
	}
	return nil
}

// answer waits for the answer to a command that takes about d.
func (p *process) answer(v any, d time.Duration) error {
	late := time.AfterFunc(d+patience, func() { _ = p.cmd.Process.Kill() }) // which ends its output
	defer late.Stop()
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.failed(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return p.failed(fmt.Errorf("%w in %q", err, line))
	}
	return nil
}

// do sends a command and waits for its answer.
func (p *process) do(v any, d time.Duration, format string, args ...any) error {
	if err := p.send(format, args...); err != nil {
		return err
	}
	return p.answer(v, d)
}

// failed ends the process, so that all that it said has arrived, and adds the last of
// that to err.
func (p *process) failed(err error) error {
	p.stop()
	return fmt.Errorf("%s: %w; it said: %q", p.name, err, p.log.String())
}

// stop ends the process: by the end of its input, or by force. It may be called again.
func (p *process) stop() {
	_ = p.in.Close()
	late := time.AfterFunc(2*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // how it ended says nothing: all its answers are here
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex // guards b: the process's output is copied by a goroutine of exec
	b  []byte
}

const tailSize = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
