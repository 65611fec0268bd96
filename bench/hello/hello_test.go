package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
)

// The test program is also the server that the tests start: with this in its
// environment it listens on the address behind -addr, or ends.
const asServer = "HELLO_TEST_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(asServer) {
	case "":
		wait.Main(m)
	case "listen":
		l, err := net.Listen("tcp", os.Args[len(os.Args)-1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(1)
			}
			_ = c.Close() // it has connected, which is all
		}
	}
}

func TestMeasure(t *testing.T) {
	t.Setenv(asServer, "listen")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := measure(exe, []string{"-test.v"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.size < 1<<20 || f.resident < 1<<20 || f.start <= 0 || f.start > patience {
		t.Errorf("%+v", f)
	}
}

func TestMeasureNothing(t *testing.T) {
	if _, err := measure("/does/not/exist", nil, 1); err == nil {
		t.Error("a program that is not there was measured")
	}
	if _, err := awaitListener("127.0.0.1:1", time.Now().Add(-patience)); err == nil || !strings.Contains(err.Error(), "nobody listens") {
		t.Errorf("%v", err)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if n, err := residentOf(cmd.Process.Pid); err == nil {
		t.Errorf("a process that has ended has %d bytes", n)
	}
}

func TestBars(t *testing.T) {
	ours := figures{program: programs[0], size: 10, resident: 10, start: 10}
	larger := figures{program: programs[1], size: 11, resident: 9, start: 10}
	got := bars([]figures{ours, larger})
	if len(got) != 3 {
		t.Fatalf("%d bars", len(got))
	}
	for i, want := range []bool{true, false, true} {
		if got[i].Pass != want || !got[i].Measured {
			t.Errorf("%v, want %v", got[i], want)
		}
	}
	if !strings.Contains(got[1].String(), "FAIL") || !strings.Contains(got[1].String(), "resident memory, of that of grpc-go") {
		t.Errorf("%v", got[1])
	}
}

func TestPage(t *testing.T) {
	got := page([]figures{{program: programs[0], size: 3 << 20, resident: 5 << 19, start: 1500 * time.Microsecond}}, 4)
	for _, want := range []string{"`make bench-hello`", "started 4 times", "| erpc | `examples/hello` | 3.0 | 2.5 | 1.5 |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
