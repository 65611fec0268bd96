//go:build unix

package graceful_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket/mux"
)

// patience bounds every wait.
const patience = 20 * time.Second

// A plan tells a server process what to do. It is passed in roleVariable.
type plan struct {
	Network string
	Addrs   []string // one peer listens on each
	TLS     bool
	Mux     bool   // each serves raw and HTTP, through a mux
	Web     string // where a server of net/http listens, "" for none
	Dir     string // holds files that tell a new process to misbehave
	Main    string // how main ends: "" returns after GraceSignal, "select" as in v7's examples, "exit" by GraceExit
}

// serverMain is the main function of a server process. It reports events on
// standard output, one per line.
func serverMain() int {
	var p plan
	if err := json.Unmarshal([]byte(os.Getenv(roleVariable)), &p); err != nil {
		fmt.Println("error", err)
		return 2
	}
	erpc.SetLoggerOutputter(slog.NewTextHandler(os.Stdout, nil), nil)
	says := "serving"
	if os.Getenv("ERPC_INHERITED") != "" {
		if _, err := os.Stat(filepath.Join(p.Dir, "die")); err == nil {
			return 3
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "forget")); err == nil {
			p.Addrs, says = p.Addrs[1:], "forgetting"
		}
	}
	early := make(chan os.Signal, 1) // a signal before GraceSignal is lost, instead of ending the process
	signal.Notify(early, syscall.SIGTERM, syscall.SIGUSR2)
	erpc.SetShutdown(10*time.Second, nil, func() error {
		fmt.Println("swept", os.Getpid())
		return nil
	})
	var addrs []string
	var serve []func()
	var stop []func() error
	var served sync.WaitGroup
	for _, addr := range p.Addrs {
		peer := erpc.NewPeer(erpc.PeerConfig{Network: p.Network, ListenAddress: addr})
		if p.TLS {
			peer.SetTLSConfig(erpc.GenerateTLSConfigForServer())
		}
		erpc.HandleCall(peer, "/work", func(_ context.Context, ms *int) (*int, error) {
			if *ms > 10_000 {
				fmt.Println("hanging")
			}
			time.Sleep(time.Duration(*ms) * time.Millisecond) // the work of the handler
			pid := os.Getpid()
			return &pid, nil
		})
		erpc.HandleCall(peer, "/reboot", func(_ context.Context, limit *time.Duration) (*string, error) {
			said := fmt.Sprint(erpc.Reboot(*limit)) // must fail: a shutdown would wait for this handler
			return &said, nil
		})
		lis, err := peer.Listen()
		if err != nil {
			fmt.Println("error", err)
			return 2
		}
		addrs = append(addrs, lis.Addr().String())
		if p.Mux {
			m := mux.New(lis, mux.Config{})
			raw, web := m.Match(mux.Raw), m.Match(mux.HTTP)
			serve = append(serve, func() { _ = peer.Serve(raw) }, // they end with the peer
				func() { _ = peer.Serve(web, httproto.NewHTTProtoFunc()) },
				func() {
					if err := m.Serve(); err != nil {
						fmt.Println("error", err)
					}
				})
			continue
		}
		serve = append(serve, func() { _ = peer.Serve(lis) }) // ends with the peer
	}
	var web *http.Server
	var open sync.WaitGroup // connections of web
	if p.Web != "" {
		lis, err := erpc.ListenInherited("tcp", p.Web)
		if err != nil {
			fmt.Println("error", err)
			return 2
		}
		addrs = append(addrs, lis.Addr().String())
		web = &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(20 * time.Millisecond) // it is the work of the handler
				_, _ = fmt.Fprint(w, os.Getpid()) // the client sees what it gets
			}),
			ConnState: func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew: // before Serve returns
					open.Add(1)
				case http.StateClosed:
					open.Done()
				}
			},
		}
		serve = append(serve, func() { _ = web.Serve(lis) }) // ends with the listener
		stop = append(stop, lis.Close)
	}
	fmt.Println(says, os.Getpid(), strings.Join(addrs, " "))
	for _, f := range serve { // after the line is written: the old process may end as soon as this one serves
		served.Go(f)
	}
	switch p.Main {
	case "select":
		go erpc.GraceSignal()
		select {}
	case "exit":
		go erpc.GraceExit()
		select {}
	}
	erpc.GraceSignal()
	for _, f := range stop {
		if err := f(); err != nil {
			fmt.Println("error", err)
		}
	}
	served.Wait()
	open.Wait() // without Shutdown, which drops the first request of a connection that is read after it has begun
	fmt.Println("done", os.Getpid())
	return 0
}

// A family is a server process and its successors.
type family struct {
	t     *testing.T
	lines chan []string // the lines that they wrote; closed when the last process has ended
}

func startFamily(t *testing.T, p plan) *family {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+string(text))
	r, w, err := os.Pipe() // not cmd.StdoutPipe, which ends with the first process
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	f := &family{t: t, lines: make(chan []string, 1000)}
	var mu sync.Mutex
	pids := map[int]bool{cmd.Process.Pid: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(f.lines)
		for sc := bufio.NewScanner(r); sc.Scan(); {
			words := strings.Fields(sc.Text())
			if len(words) > 1 && (words[0] == "serving" || words[0] == "forgetting") {
				pid, _ := strconv.Atoi(words[1])
				mu.Lock()
				pids[pid] = true
				mu.Unlock()
			}
			f.lines <- words
		}
	}()
	t.Cleanup(func() {
		mu.Lock()
		for pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // if the test succeeds, none is left
		}
		mu.Unlock()
		_ = cmd.Wait()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("a server process is left")
		}
		_ = r.Close()
	})
	return f
}

// expect returns the rest of the next line that begins with word.
func (f *family) expect(word string) []string {
	f.t.Helper()
	var skipped [][]string
	limit := time.After(patience)
	for {
		select {
		case line, ok := <-f.lines:
			if !ok {
				f.t.Fatalf("the servers ended without %q; they said %q", word, skipped)
			}
			if len(line) > 0 && line[0] == word {
				return line[1:]
			}
			skipped = append(skipped, line)
		case <-limit:
			f.t.Fatalf("waited %v for %q; the servers said %q", patience, word, skipped)
		}
	}
}

func (f *family) expectServing() (pid int, addrs []string) {
	f.t.Helper()
	words := f.expect("serving")
	pid, err := strconv.Atoi(words[0])
	if err != nil {
		f.t.Fatal(err)
	}
	return pid, words[1:]
}

// said returns the lines of the servers that were not read yet.
func (f *family) said() (lines []string) {
	for {
		select {
		case words, ok := <-f.lines:
			if !ok {
				return lines
			}
			lines = append(lines, strings.Join(words, " "))
		default:
			return lines
		}
	}
}

// logs reports whether a line that contains text arrives in time.
func (f *family) logs(text string, patience time.Duration) bool {
	f.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case words, ok := <-f.lines:
			if !ok {
				f.t.Fatalf("the servers ended without %q", text)
			}
			if strings.Contains(strings.Join(words, " "), text) {
				return true
			}
		case <-limit:
			return false
		}
	}
}

// reboot sends SIGUSR2.
func (f *family) reboot(pid int) {
	f.t.Helper()
	f.insist(pid, syscall.SIGUSR2, "the program is started again")
}

// insist sends a signal until the server has written said, because the first may
// arrive before the server waits for signals. Extra ones are ignored.
func (f *family) insist(pid int, sig syscall.Signal, said string) {
	f.t.Helper()
	for range 100 {
		f.signal(pid, sig)
		if f.logs(said, 200*time.Millisecond) {
			return
		}
	}
	f.t.Fatalf("%v changes nothing", sig)
}

func (f *family) signal(pid int, sig syscall.Signal) {
	f.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH { // it may have just ended
		f.t.Fatal(err)
	}
}

// ended waits until no server process is left.
func (f *family) ended() {
	f.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case _, ok := <-f.lines:
			if !ok {
				return
			}
		case <-limit:
			f.t.Fatalf("waited %v for the end of the server", patience)
		}
	}
}

// stop ends the last server and waits until none is left.
func (f *family) stop(pid int) {
	f.t.Helper()
	f.insist(pid, syscall.SIGTERM, "swept")
	f.expect("done")
	limit := time.After(patience)
	for {
		select {
		case line, ok := <-f.lines:
			if !ok {
				return
			}
			f.t.Errorf("after the last server was done: %q", line)
		case <-limit:
			f.t.Fatal("a server process does not end")
		}
	}
}
