package thriftproto_test

import (
	"bufio"
	"bytes"
	"context"
	"go/format"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/thriftproto"
)

// compile lets the thrift compiler generate code from calculator.thrift and
// returns its folder. Without ERPC_INTEROP=1 the test is skipped, as it needs
// packages of Debian.
func compile(t *testing.T, generator string) (dir string) {
	t.Helper()
	if os.Getenv("ERPC_INTEROP") != "1" {
		t.Skip("needs Debian's thrift-compiler and python3-thrift; set ERPC_INTEROP=1 to run it")
	}
	dir = t.TempDir()
	cmd := exec.Command("thrift", "--gen", generator, "-out", dir, "calculator.thrift")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return dir
}

// TestGeneratedCode: the Go code in the tree is the formatted output of the
// compiler for calculator.thrift.
func TestGeneratedCode(t *testing.T) {
	dir := filepath.Join(compile(t, "go:skip_remote"), "calculator")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("the compiler made %d files, %v", len(files), err)
	}
	for _, f := range files {
		made, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(made)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("internal", "calculator", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := bytes.Cut(want, []byte("\n")); !bytes.HasPrefix(got, first) {
			t.Skipf("this compiler's version differs from that of the tree: %s", first)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the compiler makes of calculator.thrift; see that file for how to generate it", f.Name())
		}
	}
}

// A pythonCode is the folder of the code generated for Python.
type pythonCode string

// command runs a program of testdata in Debian's python3.
func (c pythonCode) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*wiretest.Limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", append([]string{"-B"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+string(c))
	cmd.WaitDelay = time.Second
	return cmd
}

func (w stockWire) args() []string { return strings.SplitN(w.name, " ", 2) }

// TestPythonClient: clients of Thrift's Python library call us.
func TestPythonClient(t *testing.T) {
	code := pythonCode(compile(t, "py"))
	plain, noted := serveCalculator(t, thriftproto.StockConfig{Service: "Calculator", Mapper: erpc.HTTPServiceMethodMapper}, erpc.HTTPServiceMethodMapper)
	multiplexed, multiplexedNoted := serveCalculator(t, thriftproto.StockConfig{}, erpc.RPCServiceMethodMapper)
	for _, w := range stockWires {
		t.Run(w.name, func(t *testing.T) {
			code.call(t, w, plain, noted)
		})
		t.Run(w.name+" multiplexed", func(t *testing.T) {
			code.call(t, w, multiplexed, multiplexedNoted, "Calculator")
		})
	}
}

func (c pythonCode) call(t *testing.T, w stockWire, addr string, noted <-chan string, service ...string) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{"testdata/stock_client.py", port}, w.args()...), service...)
	out, err := c.command(t, args...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "OK" {
		t.Fatalf("%v\n%s", err, out)
	}
	wantNote(t, noted, "noted")
}

// TestPythonServer: we call servers of Thrift's Python library.
func TestPythonServer(t *testing.T) {
	code := pythonCode(compile(t, "py"))
	for _, w := range stockWires {
		if w.zlib {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			addr, noted := code.serve(t, w)
			for _, multiplexed := range []bool{false, true} {
				c := thriftproto.StockConfig{Transport: w.transport, Protocol: w.protocol, Service: "Calculator", Multiplexed: multiplexed}
				sess := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(c)}).MustDial(t, addr)
				useCalculator(t, pythonClient{sessionClient{sess}}, noted)
			}
		})
	}
}

func (c pythonCode) serve(t *testing.T, w stockWire) (addr string, noted chan string) {
	t.Helper()
	cmd := c.command(t, append([]string{"testdata/stock_server.py"}, w.args()...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, done := make(chan string, 1), make(chan struct{})
	noted = make(chan string, 16)
	go func() {
		defer close(done)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			if port, ok := strings.CutPrefix(in.Text(), "READY "); ok {
				ready <- port
			} else if text, ok := strings.CutPrefix(in.Text(), "noted "); ok {
				noted <- text
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // ends the server; if it has ended already, Wait reports it
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("stock_server.py: %v\n%s", err, stderr.String())
		}
	})
	select {
	case port := <-ready:
		return net.JoinHostPort("127.0.0.1", port), noted
	case <-done:
		t.Fatalf("stock_server.py ended\n%s", stderr.String())
	case <-time.After(wiretest.Limit):
		t.Fatal("stock_server.py is not ready")
	}
	return "", nil
}

// pythonClient adds the text that Python's servers do not send when a handler
// fails.
type pythonClient struct{ sessionClient }

func (c pythonClient) Call(ctx context.Context, method string, args, result thrift.TStruct) (thrift.ResponseMeta, error) {
	meta, err := c.sessionClient.Call(ctx, method, args, result)
	if e, ok := err.(thrift.TApplicationException); ok && method == "fail" && strings.Contains(e.Error(), "Internal error") {
		err = thrift.NewTApplicationException(e.TypeId(), "bad thing: cause é")
	}
	return meta, err
}
