package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Main runs "peer VARIANT server|client flags" and exits when its standard
// input ends, or "peer list", which names the variants, one a line.
func Main(variants ...Variant) {
	out, err := takeStdout()
	if err == nil {
		raiseFileLimit()
		err = run(os.Args[1:], variants, os.Stdin, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// takeStdout returns the standard output and lets descriptor 1 mean standard
// error from now on, because some frameworks log to it.
func takeStdout() (*os.File, error) {
	fd, err := syscall.Dup(1)
	if err == nil {
		err = syscall.Dup3(2, 1, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("rig: standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}

func run(args []string, variants []Variant, in io.Reader, out io.Writer) error {
	if len(args) == 1 && args[0] == "list" {
		_, err := fmt.Fprintln(out, strings.Join(names(variants), "\n"))
		return err
	}
	if len(args) < 2 {
		return fmt.Errorf("rig: say VARIANT server|client; variants are %s", strings.Join(names(variants), ", "))
	}
	i := slices.Index(names(variants), args[0])
	if i < 0 {
		return fmt.Errorf("rig: no variant %q; there are %s", args[0], strings.Join(names(variants), ", "))
	}
	var c Config
	f := flag.NewFlagSet(args[1], flag.ContinueOnError)
	f.StringVar(&c.Workload, "workload", Call, "call, bytes or push")
	f.StringVar(&c.Addr, "addr", "", "address of the server; a server without one takes a free port")
	f.IntVar(&c.Callers, "callers", 1, "goroutines that call")
	f.IntVar(&c.Conns, "conns", 1, "sessions")
	f.IntVar(&c.Size, "size", 128, "bytes of a body")
	f.IntVar(&c.Meta, "meta", 0, "metadata entries")
	f.IntVar(&c.Plugins, "plugins", 0, "plugins")
	f.StringVar(&c.Filter, "filter", "", "transfer filter")
	f.StringVar(&c.Transport, "transport", TCP, "tcp, tls, unix, ws or quic")
	f.StringVar(&c.Codec, "codec", "", "json, or nothing for the variant's own")
	f.IntVar(&c.Pad, "pad", 0, "bytes that make the message larger")
	f.DurationVar(&c.Block, "block", 0, "what a handler waits before it answers")
	f.IntVar(&c.Hot, "hot", 0, "callers that never pause, on the first session")
	var profile profiles
	f.StringVar(&profile.cpu, "cpuprofile", "", "file for a CPU profile of the process")
	f.StringVar(&profile.mem, "memprofile", "", "file for a profile of its allocations")
	if err := f.Parse(args[2:]); err != nil {
		return err
	}
	if err := profile.start(); err != nil {
		return err
	}
	err := serveOrDial(args[1], variants[i], c, in, out)
	return errors.Join(err, profile.stop())
}

func serveOrDial(role string, v Variant, c Config, in io.Reader, out io.Writer) error {
	switch role {
	case "server":
		return serve(v, c, in, out)
	case "client":
		return dial(v, c, in, out)
	}
	return fmt.Errorf("rig: %q is neither server nor client", role)
}

func names(variants []Variant) (all []string) {
	for _, v := range variants {
		all = append(all, v.Name)
	}
	return all
}

// Hello is the first line of a server and of a client.
type Hello struct {
	Addr string `json:"addr"`
}

// Pushed is the answer of a server to "push SECONDS".
type Pushed struct {
	Sent    uint64  `json:"sent"`
	Seconds float64 `json:"seconds"`
}

// Memory is the answer to "rss".
type Memory struct {
	Bytes uint64 `json:"bytes"`
}

// serve is a server process. Its commands: mark (what is used counts from
// here), stat ([Usage] since then), rss ([Memory] after a collection), push
// SECONDS ([Pushed]).
func serve(v Variant, c Config, in io.Reader, out io.Writer) error {
	if c.Addr == "" {
		var err error
		c.Addr, err = freeAddr(c.Transport)
		if err != nil {
			return err
		}
		if c.Transport == Unix {
			defer os.Remove(c.Addr) // most servers have removed it
		}
	}
	s, err := v.Serve(c)
	if err != nil {
		return fmt.Errorf("rig: serve %s: %w", v.Name, err)
	}
	var mark Usage
	return commands(Hello{c.Addr}, in, out, map[string]func(float64) (any, error){
		"mark": func(float64) (any, error) {
			mark, err = ReadUsage()
			return mark, err
		},
		"stat": func(float64) (any, error) {
			u, err := ReadUsage()
			return u.Since(mark), err
		},
		"rss": rss,
		"push": func(n float64) (any, error) {
			if s.Push == nil {
				return nil, errors.New("rig: this variant has no push")
			}
			return pushFor(s.Push, make([]byte, c.Size), seconds(n))
		},
	})
}

// pushFor pushes repeatedly until d has passed.
func pushFor(push func([]byte) (int, error), body []byte, d time.Duration) (Pushed, error) {
	var p Pushed
	start := time.Now()
	for time.Since(start) < d {
		n, err := push(body)
		p.Sent += uint64(n)
		if err != nil {
			return p, fmt.Errorf("rig: push: %w", err)
		}
	}
	p.Seconds = time.Since(start).Seconds()
	return p, nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func rss(float64) (any, error) {
	n, err := IdleRSS()
	return Memory{n}, err
}

// dial is a client process. Its commands: run SECONDS ([Result] of calls, or
// of deliveries), rate CALLS (each second, for open), open SECONDS ([Result] of
// an open loop), quiet SECONDS (the same, of all sessions but the first, while
// Config.Hot callers never pause on that), rss ([Memory] after a collection),
// once (each session makes a call), total (a [Result] of all deliveries so far).
func dial(v Variant, c Config, in io.Reader, out io.Writer) error {
	got := deliveries{size: c.Size}
	c.OnPush = got.add
	cl, err := v.Dial(c)
	if err != nil {
		return fmt.Errorf("rig: dial %s: %w", v.Name, err)
	}
	var calls []func() error
	if c.Workload != Push {
		for i := range c.Callers {
			calls = append(calls, cl.NewCaller(i))
		}
	}
	var busy []func() error
	for i := range c.Hot {
		busy = append(busy, cl.NewCaller(i*c.Conns)) // congruent to 0: the first session
	}
	var rate float64
	return commands(Hello{c.Addr}, in, out, map[string]func(float64) (any, error){
		"run": func(n float64) (any, error) {
			if c.Workload == Push {
				return got.count(seconds(n), cl.Joined)
			}
			return load(calls, 0, seconds(n))
		},
		"rate": func(n float64) (any, error) {
			rate = n
			return Hello{c.Addr}, nil
		},
		"open":  func(n float64) (any, error) { return load(calls, rate, seconds(n)) },
		"quiet": func(n float64) (any, error) { return quiet(calls[1:], busy, rate, seconds(n)) },
		"once": func(float64) (any, error) {
			for i, call := range calls {
				if err := call(); err != nil {
					return nil, fmt.Errorf("rig: session %d: %w", i, err)
				}
			}
			return Hello{c.Addr}, nil
		},
		"total": func(float64) (any, error) { return got.drain(), nil },
		"rss":   rss,
	})
}

// commands answers hello and then one line for each line of in, until it ends.
func commands(hello any, in io.Reader, out io.Writer, table map[string]func(float64) (any, error)) error {
	enc := json.NewEncoder(out)
	if err := enc.Encode(hello); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, arg, _ := strings.Cut(lines.Text(), " ")
		do := table[name]
		if do == nil {
			return fmt.Errorf("rig: unknown command %q", name)
		}
		var n float64
		if arg != "" {
			var err error
			n, err = strconv.ParseFloat(arg, 64)
			if err != nil {
				return fmt.Errorf("rig: command %q: %w", lines.Text(), err)
			}
		}
		answer, err := do(n)
		if err != nil {
			return err
		}
		if err := enc.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
