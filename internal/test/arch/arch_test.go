package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of the module.
const module = "github.com/goerpc/erpc"

// core is the architecture: which packages of this module each package of the
// layers may import. Imports go one way: leaves, message, proto, socket, session,
// router, peer, façade.
var core = map[string][]string{
	"codec":               {"internal/bufpool", "internal/registry"},
	"codec/thriftcodec":   {"codec"},
	"xfer":                {"internal/guard", "internal/registry"},
	"plugin":              {},
	"internal/fifo":       {},
	"internal/workerpool": {"internal/fifo"},
	"internal/logging":    {},
	"internal/bufpool":    {},
	"internal/backoff":    {},
	"internal/calltable":  {},
	"internal/guard":      {},
	"internal/registry":   {},
	"internal/wire":       {},
	"message":             {"codec", "internal/bufpool", "internal/guard", "xfer"},
	"proto":               {"internal/bufpool", "message", "xfer"},
	"socket":              {"codec", "internal/bufpool", "internal/fifo", "internal/guard", "internal/workerpool", "message", "proto"},
	"internal/stream":     {},
	"session":             {"codec", "internal/backoff", "internal/bufpool", "internal/calltable", "internal/guard", "internal/logging", "internal/stream", "internal/wire", "internal/workerpool", "message", "plugin", "proto", "socket"},
	"router":              {"message", "plugin", "session"},
	"router/dispatcher":   {"message", "plugin", "router", "session"},
	"peer":                {"codec", "internal/backoff", "internal/guard", "internal/logging", "message", "plugin", "proto", "proto/rawproto", "router", "session", "socket"},
	"peer/config":         {},
	// Serves all HTTP clients; their sessions use the raw protocol in memory.
	"proto/httproto":          {"codec", "internal/wire", "message", "proto", "proto/httproto/httpgate", "xfer", "xfer/gzip"},
	"proto/httproto/httpgate": {"codec", "internal/stream", "internal/wire", "message", "proto", "proto/rawproto", "xfer", "xfer/gzip"},
	// The functions of v7 around a peer are built on the façade, like a plugin;
	// the transport below them is not.
	"mixer/websocket":           {".", "peer", "plugin", "proto/jsonproto", "proto/pbproto", "socket", "socket/websocket"},
	"plugin/heartbeat":          {".", "internal/wire", "plugin/internal/lograte"},
	"plugin/retry":              {".", "internal/backoff", "plugin/internal/turn"},
	"cluster/lookup":            {".", "cluster", "internal/backoff"},
	"cluster/clustertest":       {"cluster", "internal/test/wait"},
	"socket/sockettest":         {"internal/test/wait", "message", "proto", "socket"},
	"internal/process/defaults": {"codec", "peer", "proto", "proto/rawproto", "router", "socket"},
	"internal/process/graceful": {"peer", "socket"},
	"erpctest":                  {".", "codec", "internal/test/wait", "session", "socket/memory"},
	// Used by generated code of protobuf services; has the message of pushes.
	"protobuf":               {".", "codec", "router"},
	"protobuf/erpc/v1":       {},
	"internal/quiclisten":    {},
	"socket/quic":            {"internal/quiclisten", "socket", "socket/internal/accept"},
	"mixer/http3":            {".", "internal/quiclisten"},
	"socket/all":             {"socket", "socket/eventloop", "socket/kcp", "socket/quic", "socket/websocket"},
	"internal/test/wiretest": {".", "message", "socket/all", "xfer/gzip", "xfer/md5"},                               // for tests only
	"internal/test/wait":     {},                                                                                    // waits of tests, erpctest's too
	"internal/test/kit":      {"internal/test/wait", ".", "proto", "proto/rawproto", "socket/all", "socket/memory"}, // too
	"internal/test/chromium": {},                                                                                    // too
}

// below are families of packages with one rule each: the longest prefix of a
// package's path that ends in a slash counts.
var below = map[string][]string{
	"codec/":    {"codec"},
	"xfer/":     {"xfer", "xfer/internal/"},
	"proto/":    {"codec", "internal/guard", "message", "proto", "xfer", "xfer/gzip"},
	"socket/":   {"message", "proto", "socket", "socket/internal/"},
	"plugin/":   {"."},
	"clients/":  {},
	"mixer/":    {"."},
	"cluster/":  {"."},
	"examples/": {"."},
	"cmd/":      {"."},
}

// publicToo are packages that users of the façade import besides it, so packages
// that are built like user code may import them too.
var publicToo = []string{"cluster", "codec", "router/dispatcher", "socket", "xfer", "proto/", "socket/", "plugin/", "protobuf", "protobuf/", "xfer/", "codec/", "mixer/", "clients/", "cluster/"}

func TestImportsGoOneWay(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "interop" || d.Name() == "bench") {
				return filepath.SkipDir // modules of their own, or no Go
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if to == module {
				to = "."
			} else if rest, ours := strings.CutPrefix(to, module+"/"); ours {
				to = rest
			} else {
				continue
			}
			if !mayImport(pkg, to) {
				t.Errorf("%s imports %s, which the architecture does not allow (arch_test.go)", path, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mayImport(pkg, to string) bool {
	if pkg == "." { // it only names things, without logic
		return !strings.HasPrefix(to, "plugin/") && !strings.HasPrefix(to, "examples/")
	}
	if may, ok := core[pkg]; ok {
		return slices.Contains(may, to)
	}
	family, _, _ := strings.Cut(pkg, "/")
	family += "/"
	may, ok := below[family]
	if !ok {
		return false // a package that is not listed may not exist
	}
	if strings.HasPrefix(to+"/", pkg+"/") || strings.HasPrefix(pkg, to+"/") && to != "." {
		return true // a part of pkg, or a package of which pkg is a part
	}
	if parts := strings.SplitN(pkg, "/", 3); family == "cmd/" && len(parts) == 3 && strings.HasPrefix(to, parts[0]+"/"+parts[1]+"/") {
		return true // two parts of one command
	}
	if slices.Contains(may, ".") {
		may = append(slices.Clone(may), publicToo...)
	}
	for _, m := range may {
		if m == to || strings.HasSuffix(m, "/") && strings.HasPrefix(to, m) {
			return true
		}
	}
	return false
}

// A program that imports peer and uses tcp, unix and the raw protocol does not
// compile other transports, or the dependencies of Thrift, configuration files or
// HTTP. Of other modules it compiles only these.
func TestPeerAloneIsSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./peer").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"/peer") {
		t.Fatalf("go list says %q", deps)
	}
	for _, dep := range deps {
		own, ours := strings.CutPrefix(dep, module+"/")
		switch {
		case ours && core[own] == nil && own != "proto/rawproto":
			t.Errorf("peer compiles %s, which is not a part of the layers", own)
		case !ours && !strings.HasPrefix(dep, "google.golang.org/protobuf/") && !strings.HasPrefix(dep, "golang.org/x/sys/"):
			t.Errorf("peer compiles %s", dep)
		}
	}
}

// Programs that import the façade do not compile the tools around it, or
// transports with large dependencies.
func TestFacadeIsSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".", "./examples/hello").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module) {
		t.Fatalf("go list says %q", deps)
	}
	for _, dep := range deps {
		for _, tool := range []string{
			module + "/cmd/", module + "/plugin/", module + "/erpctest", module + "/protobuf", module + "/cluster",
			"github.com/bufbuild/", "google.golang.org/protobuf/compiler/", "google.golang.org/protobuf/types/dynamicpb", "testing",
			"github.com/quic-go/", "github.com/xtaci/", "github.com/coder/", module + "/socket/all", module + "/mixer/",
		} {
			if strings.HasPrefix(dep, tool) {
				t.Errorf("the façade or examples/hello compiles %s", dep)
			}
		}
	}
}

func TestTheRuleItself(t *testing.T) {
	for _, c := range []struct {
		pkg, to string
		want    bool
	}{
		{"session", "peer", false},
		{"message", "session", false},
		{"proto/jsonproto", "message", true},
		{"proto/jsonproto", "session", false},
		{"socket/quic", "socket", true},
		{"socket/quic", "peer", false},
		{"plugin/auth", ".", true},
		{"plugin/auth", "session", false},
		{"plugin/auth", "internal/logging", false},
		{"codec", "message", false},
		{"router", "peer", false},
		{"somewhere", "codec", false},
		{"peer", "socket/quic", false},
	} {
		if got := mayImport(c.pkg, c.to); got != c.want {
			t.Errorf("may %s import %s: %v, want %v", c.pkg, c.to, got, c.want)
		}
	}
}
