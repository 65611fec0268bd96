//go:build unix

package chromium

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long the browser may take to end.
const patience = 30 * time.Second

// Start opens a page in a browser, which is killed when the test ends. It returns
// the folder of the browser's files, and a channel that is closed when the browser
// has ended. Without Chromium it skips the test, except in `make test-interop` of
// CI, where that is a failure.
func Start(t *testing.T, url string, flags ...string) (dir string, ended <-chan struct{}) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" && os.Getenv("ERPC_INTEROP") == "1" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("not tested in a browser: chromium is not installed")
	}
	// Not t.TempDir: the processes of the browser write files while they end, and
	// removing those would fail the test.
	dir, err = os.MkdirTemp("", "erpc-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	flags = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-proxy-server", "--remote-debugging-port=0", "--user-data-dir=" + dir}, flags...)
	var log strings.Builder
	cmd := exec.Command(path, append(flags, url)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // kill its children too
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended already
		<-done
		if t.Failed() {
			t.Logf("chromium said:\n%s", log.String())
		}
		_ = os.RemoveAll(dir) // see above
	})
	return dir, done
}
