package httproto_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

// program runs a common HTTP client program. It skips the test if the program is
// not installed, except in CI (CI=true), where that is a failure.
func program(t *testing.T, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: apt-get install %s", name, name)
		}
		t.Skipf("not tested with %s, which is not installed", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wiretest.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "http_proxy=", "HTTP_PROXY=", "all_proxy=", "ALL_PROXY=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestCurl(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{ReadLimit: 4 << 20})
	file := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	large, tooLarge := file("large", strings.Repeat("x", 3<<20)), file("too-large", strings.Repeat("x", 5<<20))
	zipped := file("zipped", zip("[1,2,3]"))
	const asJSON = "Content-Type: application/json"
	for _, tc := range []struct {
		name string
		args []string
		want string // how the output begins, or all of it if it ends in $
	}{
		{"JSON", []string{"-H", asJSON, "-d", "[1,2,3]", "/math/add"}, "6$"},
		{"GET", []string{"/enc/form?a=1&b=x"}, `{"A":1,"B":"x","L":null}$`},
		{"form", []string{"-d", "a=1", "-d", "l=p", "/enc/form"}, `{"A":1,"B":"","L":["p"]}$`},
		{"any case and parameters", []string{"-H", `cOnTeNt-TyPe: Application/JSON; charset="utf-8"; x=y`, "-d", "[1,2]", "/math/add"}, "3$"},
		{"plain", []string{"-H", "Content-Type: text/plain; charset=utf-8", "-d", "text", "/enc/plain"}, "text$"},
		{"XML", []string{"-H", "Content-Type: application/xml; charset=utf-8", "-d", "<F><a>1</a></F>", "/enc/form"}, "<F><a>1</a><b></b></F>$"},
		{"protobuf", []string{"-H", "Content-Type: application/x-protobuf; v=1", "--data-binary", "\x0a\x02v1", "/enc/pb"}, "\x0a\x02v1$"},
		{"gzip", []string{"-H", asJSON, "-H", "content-encoding: gzip", "--data-binary", "@" + zipped, "/math/add"}, "6$"},
		{"close", []string{"-i", "-H", asJSON, "-H", "Connection: close", "-d", "[1]", "/math/add"}, "HTTP/1.1 200 OK\r\n"},
		{"too large", []string{"-H", "Content-Type: application/octet-stream", "--data-binary", "@" + tooLarge, "-w", " %{http_code}", "/enc/bytes"}, `{"code":413,"msg":"Message Too Large",`},
		{"HTTP/1.0", []string{"-0", "-H", asJSON, "-d", "[1]", "/math/add"}, "1$"},
		{"HTTP/2 upgrade", []string{"--http2", "-H", asJSON, "-d", "[1]", "/math/add"}, "1$"},
		{"HEAD", []string{"-I", "/math/add"}, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"},
		{"OPTIONS", []string{"-i", "-X", "OPTIONS", "/math/add"}, "HTTP/1.1 204 No Content\r\nAllow: GET,"},
		{"compressed", []string{"--compressed", "/web/long"}, `"long long`},
		{"large, with Expect", []string{"-H", "Content-Type: application/octet-stream", "-H", "Expect: 100-continue", "--data-binary", "@" + large, "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "/enc/bytes"}, "200 3145728$"},
		{"chunked", []string{"-H", "Content-Type: application/octet-stream", "-T", large, "-X", "POST", "-H", "Transfer-Encoding: chunked", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "/enc/bytes"}, "200 3145728$"},
		{"failure", []string{"-w", " %{http_code}", "/no/such"}, `{"code":404,"msg":"Not Found","cause":""} 404$`},
		{"two on one connection", []string{"-w", " %{num_connects} ", "/math/add", "http://" + p.Addr + "/math/add"}, "0 1 0 0 $"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"-sS", "--max-time", "15"}, tc.args...)
			for i, a := range args {
				if strings.HasPrefix(a, "/") && a != "/dev/null" && a != large {
					args[i] = "http://" + p.Addr + a
				}
			}
			out, errs, err := program(t, "curl", args...)
			want, all := strings.CutSuffix(tc.want, "$")
			if err != nil || !strings.HasPrefix(out, want) || all && out != want {
				t.Errorf("curl %q: %v\nprinted %.300q %q, want %q", args, err, out, errs, tc.want)
			}
		})
	}
}

func TestWget(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	for _, tc := range []struct {
		name string
		args []string
		want string
		fail bool
	}{
		{"GET", []string{"/enc/form?a=1"}, `{"A":1,"B":"","L":null}`, false},
		{"POST", []string{"--header=Content-Type: application/json", "--post-data=[1,2]", "/math/add"}, "3", false},
		{"form", []string{"--post-data=a=2", "/enc/form"}, `{"A":2,"B":"","L":null}`, false},
		{"page", []string{"/web/page"}, "<p>a&lt;b</p>", false},
		{"failure", []string{"--content-on-error", "/math/fail"}, `{"code":1001,"msg":"bad thing","cause":"cause & x=1 100%"}`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"-qO-", "--timeout=15", "--tries=1"}, tc.args...)
			last := len(args) - 1
			args[last] = "http://" + p.Addr + args[last]
			out, errs, err := program(t, "wget", args...)
			if (err != nil) != tc.fail || out != tc.want {
				t.Errorf("wget %q: %v\nprinted %q %q, want %q", args, err, out, errs, tc.want)
			}
		})
	}
}
