//go:build unix

package main

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/chromium"
)

// picture is the environment variable with the file name of the picture of
// docs/dashboard.md, which is taken after some minutes of load: `make
// dashboard-picture`.
const picture = "ERPC_DASHBOARD_PICTURE"

// maxPicture is the largest size of the picture, in bytes.
const maxPicture = 200 << 10

// TestScreenshots shows every page on a large and a small screen, light and dark.
// People judge how they look; the test checks that nothing is wider than the screen
// and that nothing throws.
func TestScreenshots(t *testing.T) {
	if os.Getenv("ERPC_INTEROP") == "" && os.Getenv(picture) == "" {
		t.Skip("a test of browsers; make test-interop runs it")
	}
	_, d := openShop(t, 40, 5)
	b := chromium.New(t)
	p := b.Open("http://" + d.Addr().String() + "/")
	p.Wait(`document.querySelector(".chart .line").getAttribute("d").split("L").length > 5`) // seconds
	if file := os.Getenv(picture); file != "" {
		time.Sleep(5 * time.Minute) // until the charts are full
		p.Show(1280, 860, "light")
		p.Wait(`document.getElementById("view").getAttribute("aria-busy") === "false"`)
		if size := take(t, p, file, 1280); size > maxPicture {
			t.Errorf("%s has %d bytes, at most %d may be committed", file, size, maxPicture)
		}
		return
	}
	shots := os.Getenv("ERPC_ARTEFACTS")
	if shots == "" {
		shots = t.TempDir()
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{1440, 1000}, {390, 844}} {
		for _, scheme := range []string{"light", "dark"} {
			p.Show(size[0], size[1], scheme)
			for name, hash := range map[string]string{
				"overview": "#/overview", "methods": "#/methods", "slow": "#/slow", "sessions": "#/sessions?sort=in&desc=1", "session": "",
				"streams": "#/streams", "rooms": "#/rooms", "limits": "#/limits", "call": "#/call?method=%2Fshop%2Forder&kind=call",
			} {
				if name == "session" {
					p.Run(`location.hash = "#/sessions"`, nil)
					p.Wait(`document.querySelector('[data-page="sessions"] tbody a')`)
					hash = ""
					p.Run(`document.querySelector('[data-page="sessions"] tbody a').click()`, nil)
				} else {
					p.Run(fmt.Sprintf(`location.hash = %q`, hash), nil)
				}
				p.Wait(fmt.Sprintf(`document.getElementById("view").dataset.page === %q && document.getElementById("view").getAttribute("aria-busy") === "false"`, name))
				var wide string
				p.Run(`[...document.querySelectorAll("body *")].filter((e) => !e.closest("#nav, .table") && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 100)).join("\n")`, &wide)
				if wide != "" {
					t.Errorf("%s: wider than %d pixels:\n%s", name, size[0], wide)
				}
				take(t, p, filepath.Join(shots, fmt.Sprintf("dashboard-%s-%d-%s.png", name, size[0], scheme)), size[0])
			}
		}
	}
	for _, thrown := range b.Exceptions() {
		t.Errorf("a page threw\n%s", thrown)
	}
}

// take writes a screenshot to a file and returns its size in bytes.
func take(t *testing.T, p *chromium.Tab, file string, width int) int {
	t.Helper()
	p.Screenshot(file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != width {
		t.Errorf("%s: %+v, %v", file, c, err)
	}
	return len(b)
}
