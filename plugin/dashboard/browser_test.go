//go:build unix

package dashboard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/chromium"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
)

// A page is a dashboard in a browser.
type page struct {
	t *testing.T
	*chromium.Tab
}

// quote returns a value as a JavaScript literal.
func quote(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// to clicks a link of the navigation and waits for its page.
func (p page) to(name string) {
	p.t.Helper()
	p.Run(fmt.Sprintf(`document.querySelector('#nav a[href="#/%s"]').click()`, name), nil)
	p.Wait(fmt.Sprintf(`document.getElementById("view").dataset.page === %q && document.getElementById("view").getAttribute("aria-busy") === "false"`, name))
}

// shows waits until a part of the page has this text.
func (p page) shows(selector, text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.textContent.includes(%s))`, quote(p.t, selector), quote(p.t, text)))
}

func (p page) click(selector string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`document.querySelector(%s)`, quote(p.t, selector)))
	p.Run(fmt.Sprintf(`document.querySelector(%s).click()`, quote(p.t, selector)), nil)
}

// fill types into a field.
func (p page) fill(selector, text string) {
	p.t.Helper()
	p.Run(fmt.Sprintf(`{
		const e = document.querySelector(%s);
		e.value = %s;
		e.dispatchEvent(new Event("input", { bubbles: true }));
	}`, quote(p.t, selector), quote(p.t, text)), nil)
}

// harmless fails the test if a stranger's text has become an element, or if the
// policy had to block something.
func (p page) harmless(where string) {
	p.t.Helper()
	var found string
	p.Run(`[...document.querySelectorAll("#view img, #view script, #view iframe, [onerror]")].map((e) => e.outerHTML).join() + window.violations.join()`, &found)
	if found != "" {
		p.t.Errorf("%s: %s", where, found)
	}
}

func openPage(t *testing.T, s *site) (page, *chromium.Browser) {
	t.Helper()
	if os.Getenv("ERPC_INTEROP") == "" {
		t.Skip("a test of browsers; make test-interop runs it")
	}
	kit.Eventually(t, kit.Bound, "the dashboard", func() bool { return s.d.Addr() != nil })
	b := chromium.New(t)
	p := page{t, b.Open("http://" + s.d.Addr().String() + "/")}
	p.Wait(`document.querySelectorAll("#nav a").length > 0`)
	p.Run(`window.violations = []; document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective + " " + e.blockedURI)); window.confirm = () => true; 0`, nil)
	return p, b
}

// TestInBrowser clicks through all pages of a peer whose IDs, users, groups, methods
// and errors are attempts at injection.
func TestInBrowser(t *testing.T) {
	s := newSite(t, dashboard.Config{
		Listen: "127.0.0.1:0", Actions: true, Authorize: anyone, Level: new(slog.LevelVar), Cluster: fakeCluster{},
		User: func(erpc.Session) string { return hostile },
	})
	erpc.HandleCall(s.peer, hostile, func(context.Context, *map[string]string) (*string, error) { return nil, nil })
	p, b := openPage(t, s)
	s.only().SetID(hostile)
	s.peer.Group(hostile).Join(s.only())
	for _, method := range []string{hostile, hostile + "/unknown"} {
		_, _ = erpc.Call[string](t.Context(), s.sess, method, &map[string]string{}) // the second fails
	}
	kit.Answers(t, s.sess)
	stream, err := erpc.OpenStream[string, string](t.Context(), s.sess, "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	word := "x"
	if err := stream.Send(&word); err != nil {
		t.Fatal(err)
	}

	p.to("overview")
	p.Wait(`document.querySelectorAll(".chart").length === 9 && document.querySelector(".chart .line").getAttribute("d") !== ""`)
	p.shows(".tile", "Sessions1")
	p.Run(`{ const l = document.getElementById("level"); l.value = "WARN"; l.dispatchEvent(new Event("change")); }`, nil)
	p.shows(".level output", "set")
	p.harmless("overview")

	p.to("methods")
	p.shows("td.name", hostile)
	p.shows("td.name", "(unknown)")
	p.shows(".tag.bad", "404 1")
	p.fill("input[type=search]", "/add")
	p.Wait(`document.querySelectorAll("tbody tr").length === 1`)
	p.fill("input[type=search]", "")
	p.click("th:first-child button")
	p.Wait(`document.querySelector("th").getAttribute("aria-sort") === "ascending"`)
	p.harmless("methods")

	p.to("slow")
	p.shows("td.name", hostile+"/unknown")
	p.harmless("slow")
	hanging := make(chan erpc.CallCmd, 50)
	for range cap(hanging) {
		s.sess.AsyncCall("/wait", 1, nil, hanging)
	}
	p.Wait(`document.querySelectorAll(".table")[0].querySelectorAll("tbody tr").length === 50`)
	close(s.kept)
	p.Wait(`document.querySelectorAll(".table")[0].querySelectorAll("tbody tr").length === 0`)

	p.to("streams")
	p.shows(".note", "1 open")
	p.shows("td.name", hostile)
	p.harmless("streams")

	p.to("rooms")
	p.shows(".nodes", "node-<1> (this one)")
	p.shows("td.name", hostile)
	p.harmless("rooms")

	p.to("limits")
	p.shows("tbody", "max_session_handlers")
	p.harmless("limits")

	p.to("call")
	p.click(fmt.Sprintf(`.methods a[href*=%s]`, quote(t, "method=%2Ffail")))
	p.Wait(`document.querySelector("form h2").textContent === "/fail" && !document.querySelector("form").hidden`)
	p.fill("form textarea", "1234")
	p.shows(".command code", "erpc call "+s.addr+" /fail 1234")
	p.click("form .row button")
	p.shows(".result", "1234 failed: "+hostile)
	p.to("call")
	p.click(fmt.Sprintf(`.methods a[href*=%s]`, quote(t, "method=%2Fecho")))
	p.Wait(`document.querySelector("form h2").textContent === "/echo" && !document.querySelector("form").hidden && document.querySelector("form .row button").hidden`)
	p.fill("form textarea", `"one" "two"`) // the form opens no streams; the command does
	p.shows(".command code", "erpc stream "+s.addr+` /echo '"one" "two"'`)
	p.to("call")
	p.Run(fmt.Sprintf(`[...document.querySelectorAll(".methods a")].find((a) => a.textContent === %s).click()`, quote(t, hostile)), nil)
	p.Wait(fmt.Sprintf(`document.querySelector("form h2").textContent === %s`, quote(t, hostile)))
	arg := "{\"a\":\"it's $(exit 3) `exit 4` !x \\u001b\"}"
	p.fill("form textarea", arg)
	p.fill("form input[type=password]", "secret")
	var command string
	p.Run(`document.querySelector(".command code").textContent`, &command)
	// The shell of whoever pastes it must see exactly these arguments.
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "erpc() { printf '%s\\0' \"$@\"; }\n"+command).Output()
	want := strings.Join([]string{"call", "-auth", "$ERPC_TOKEN", s.addr, hostile, arg, ""}, "\x00")
	if err != nil || string(out) != want {
		t.Errorf("the command %q has the arguments %q, %v; want %q", command, out, err, want)
	}
	p.harmless("call")

	p.to("sessions")
	p.fill("input[type=search]", "nobody has this id")
	p.shows(".note", "0 found")
	p.fill("input[type=search]", "ONERROR")
	p.shows(".note", "1 found")
	p.click(`th:nth-child(6) button`) // because of what came in
	p.Wait(`document.querySelector("th:nth-child(6)").getAttribute("aria-sort") === "descending"`)
	p.harmless("sessions")
	p.click("tbody a")
	p.Wait(`document.getElementById("view").dataset.page === "session"`)
	p.shows("h1", hostile)
	p.shows(".facts", hostile)
	p.fill(`.actions input[pattern]`, "/heard")
	p.fill(".actions textarea", `"hello from the browser"`)
	p.click(".actions form button")
	if line := kit.Await(t, "the push", s.heard); line != "hello from the browser" {
		t.Errorf("the client heard %q", line)
	}
	p.harmless("session")
	p.click(".goaway")
	p.shows(".actions output", "takes no more calls")
	p.click(".danger")
	kit.Await(t, "the end of the session", s.sess.CloseNotify())
	p.shows("#trouble", "the session has ended")

	p.to("overview") // the page works on after that
	p.Wait(`document.getElementById("trouble").hidden`)
	if err := s.peer.Close(); err != nil {
		t.Fatal(err)
	}
	p.shows("#trouble", "The peer does not answer")

	var title string
	if p.Run(`document.title`, &title); title != "Overview · erpc" {
		t.Errorf("the title is %q", title)
	}
	if thrown := b.Exceptions(); len(thrown) > 0 {
		t.Errorf("the pages threw\n%s", strings.Join(thrown, "\n"))
	}
}

// A page of another site can neither read nor act.
func TestOtherSitesInBrowser(t *testing.T) {
	s := newSite(t, dashboard.Config{Listen: "127.0.0.1:0", Actions: true, Authorize: anyone})
	other := newSite(t, dashboard.Config{Listen: "127.0.0.1:0"}) // another port is another origin
	kit.Eventually(t, kit.Bound, "the dashboard", func() bool { return s.d.Addr() != nil })
	p, _ := openPage(t, other)
	p.to("overview")
	key := base64.RawURLEncoding.EncodeToString([]byte(s.only().ID()))
	var said string
	p.Run(fmt.Sprintf(`(async () => {
		const said = [];
		for (const [path, init] of [["api/sessions", {}], ["api/kick", { method: "POST", mode: "no-cors", body: %s }]]) {
			try { said.push((await fetch("http://%s/" + path, init)).type); } catch { said.push("refused"); }
		}
		return said.join();
	})()`, quote(t, `{"key":"`+key+`"}`), s.d.Addr()), &said)
	if said != "refused,refused" { // by the policy of the page, too
		t.Errorf("the page got %s", said)
	}
	kit.Answers(t, s.sess)
}

// Numbers are short and always have their unit.
func TestNumbersInBrowser(t *testing.T) {
	p, _ := openPage(t, newSite(t, dashboard.Config{Listen: "127.0.0.1:0"}))
	for expression, want := range map[string]string{
		`short(0)`: "0", `short(0.001)`: "<0.01", `short(0.5)`: "0.5", `short(9.999)`: "10", `short(42.42)`: "42.4", `short(100)`: "100",
		`short(999.7)`: "1k", `short(1000)`: "1k", `short(1234)`: "1.23k", `short(99999)`: "100k", `short(999999)`: "1M", `short(1e15)`: "1000T", `short(NaN)`: "–",
		`whole(1234567)`: "1,234,567",
		`bytes(0)`:       "0 B", `bytes(1023)`: "1023 B", `bytes(1024)`: "1 KiB", `bytes(1536)`: "1.5 KiB", `bytes(64 * 2 ** 20)`: "64 MiB", `bytes(undefined)`: "–",
		`span(0)`: "–", `span(999)`: "999 ns", `span(50000)`: "50 µs", `span(2.5e6)`: "2.5 ms", `span(1e10)`: "10 s",
		`long(0)`: "0s", `long(250)`: "250ms", `long(59999)`: "59s", `long(61000)`: "1m 1s", `long(3600000)`: "1h 0m", `long(90061000)`: "1d 1h",
	} {
		var got string
		if p.Run(`import("./format.js").then((f) => f.`+expression+`)`, &got); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
