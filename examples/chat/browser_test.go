//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"log/slog"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/chromium"
	"github.com/goerpc/erpc/plugin/auth"
)

// quote returns a value as a JavaScript literal.
func quote(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// texts returns JavaScript for the texts of the elements that a selector finds.
func texts(selector string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.textContent)`, selector)
}

// A tab is a page of the chat.
type tab struct {
	t *testing.T
	*chromium.Tab
}

// shows waits until the elements of a list have exactly these texts.
func (p tab) shows(list string, want ...string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`JSON.stringify(%s) === JSON.stringify(%s)`, texts("#"+list+" li"), quote(p.t, want)))
}

func (p tab) login(name, password string) {
	p.t.Helper()
	p.Wait(`!document.getElementById("login").hidden`)
	p.Run(fmt.Sprintf(`{
		document.getElementById("name").value = %s;
		document.getElementById("password").value = %s;
		document.querySelector("#login button").click();
	}`, quote(p.t, name), quote(p.t, password)), nil)
}

func (p tab) join(room string) {
	p.t.Helper()
	p.Wait(`document.getElementById("state").textContent === "open"`)
	p.Run(fmt.Sprintf(`{
		document.getElementById("room").value = %s;
		document.querySelector("#join button").click();
	}`, quote(p.t, room)), nil)
}

func (p tab) say(text string) {
	p.t.Helper()
	p.Wait(`!document.getElementById("send").disabled && document.getElementById("text").value === ""`)
	p.Run(fmt.Sprintf(`{
		document.getElementById("text").value = %s;
		document.getElementById("send").click();
	}`, quote(p.t, text)), nil)
}

// TestTwoPagesTalk: two people with browsers and a Go program on raw TCP talk to
// each other.
func TestTwoPagesTalk(t *testing.T) {
	b := chromium.New(t)
	s := serve(t)
	anna, ben := tab{t, b.Open("http://" + s.webAddr + "/")}, tab{t, b.Open("http://" + s.webAddr + "/")}
	anna.login("Anna", "wrong")
	anna.Wait(`document.querySelector("#messages li.note")?.textContent === "wrong name or password"`)
	anna.login("Anna", "Anna")
	anna.join("lobby")
	anna.shows("members", "Anna")
	ben.login("Ben", "Ben")
	ben.join("lobby")
	anna.shows("members", "Anna", "Ben")
	ben.shows("members", "Anna", "Ben")
	gopher := comeRaw(t, s, "gopher")
	gopher.join("lobby", "Anna", "Ben", "gopher")
	anna.shows("members", "Anna", "Ben", "gopher")

	anna.say("Hello from Anna's browser")
	gopher.hears(Message{"lobby", "Anna", "Hello from Anna's browser"})
	ben.shows("messages", "AnnaHello from Anna's browser")
	ben.say("Grüße, 你好 & <b>hi</b> 👋")
	gopher.hears(Message{"lobby", "Ben", "Grüße, 你好 & <b>hi</b> 👋"})
	gopher.say(`Hello from raw TCP <img src=x onerror="document.title='broken into'">`, 3)
	gopher.hears(Message{"lobby", "gopher", `Hello from raw TCP <img src=x onerror="document.title='broken into'">`})
	said := []string{
		"AnnaHello from Anna's browser",
		"BenGrüße, 你好 & <b>hi</b> 👋",
		`gopherHello from raw TCP <img src=x onerror="document.title='broken into'">`,
	}
	anna.shows("messages", said...)
	ben.shows("messages", said...)
	var title string
	if ben.Run(`document.title`, &title); title != "erpc chat" {
		t.Errorf("the title is %q", title)
	}

	for name, p := range map[string]tab{"Anna": anna, "Ben": ben} { // each page shows its user
		p.Wait(fmt.Sprintf(`JSON.stringify(%s) === %s`, texts("#members .me"), quote(t, `["`+name+`"]`)))
		p.Wait(`document.querySelectorAll("#messages .me").length === 1`)
	}

	walker := comeRaw(t, s, "walker")
	walker.join("garden", "walker")
	anna.say("Who is in the garden?")
	gopher.hears(Message{"lobby", "Anna", "Who is in the garden?"})
	var rooms map[string]int
	anna.Run(fmt.Sprintf(`fetch("/chat/rooms", { headers: { Authorization: "Bearer " + %s } }).then((r) => r.json())`, quote(t, token(t, s, "Anna"))), &rooms)
	if len(rooms) != 2 || rooms["lobby"] != 3 || rooms["garden"] != 1 {
		t.Errorf("fetch got %v", rooms)
	}
	var refused string
	anna.Run(`fetch("/chat/rooms").then(async (r) => r.status + " " + await r.text())`, &refused)
	if !strings.HasPrefix(refused, `401 {"code":401,`) {
		t.Errorf("fetch without a token got %s", refused)
	}

	// A page whose connection breaks comes back to its room.
	for _, sess := range auth.SessionsOf(s.web, "Ben") {
		_ = sess.Close() // the test is about what the page does then
	}
	gopher.sees("lobby", "Anna", "gopher")
	gopher.sees("lobby", "Anna", "Ben", "gopher")
	ben.shows("members", "Anna", "Ben", "gopher")
	ben.say("I am back")
	gopher.hears(Message{"lobby", "Ben", "I am back"})
	ben.shows("rooms", "garden (1)", "lobby (3)")

	shots := os.Getenv("ERPC_ARTEFACTS")
	if shots == "" {
		shots = t.TempDir()
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]tab{"anna": anna, "ben": ben} {
		file := filepath.Join(shots, "chat-"+name+".png")
		p.Screenshot(file)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.DecodeConfig(f)
		_ = f.Close() // it was only read
		if err != nil || picture.Width < 500 || picture.Height < 300 {
			t.Errorf("%s: %+v, %v", file, picture, err)
		}
	}

	// A page that is logged out says so and does not reconnect.
	for _, sess := range auth.SessionsOf(s.web, "Anna") {
		_ = sess.CloseWith(erpc.NewStatus(403, "You are banned."), false) // it ends either way
	}
	anna.Wait(`document.getElementById("state").textContent === "refused"`)
	anna.Wait(`[...document.querySelectorAll("#messages li.note")].at(-1).textContent === "You are banned. Reload the page to log in again."`)
	ben.shows("members", "Ben", "gopher")
	ben.Close()
	gopher.sees("lobby", "gopher")
	if thrown := b.Exceptions(); len(thrown) > 0 {
		t.Errorf("the pages threw\n%s", strings.Join(thrown, "\n"))
	}
}

// A page follows the feed through the EventSource that every browser has, and
// leaving the page ends the handler. EventSource can't send a token, so a proxy in
// front adds it.
func TestFeedInBrowser(t *testing.T) {
	b := chromium.New(t)
	s := serve(t)
	rita, bearer := comeRaw(t, s, "rita"), "Bearer "+token(t, s, "walt")
	rita.join("tea", "rita")
	front := httptest.NewServer(&httputil.ReverseProxy{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.webAddr})
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", bearer)
	}})
	defer front.Close()
	page := tab{t, b.Open(front.URL + "/")}
	page.Run(`{
		window.heard = [];
		window.feed = new EventSource("/chat/feed?room=tea");
		feed.onmessage = (e) => heard.push(JSON.parse(e.data));
	}`, nil)
	followed(t, s.rooms, "tea", 1)
	page.Wait(`feed.readyState === EventSource.OPEN`)
	said := []string{"one", "two & <three>", "Grüße, 你好 👋"}
	for i, text := range said {
		rita.say(text, 1)
		page.Wait(fmt.Sprintf(`heard.length === %d && heard[%d].from === "rita" && heard[%d].text === %s`, i+1, i, i, quote(t, text)))
	}
	page.Run(`feed.close()`, nil)
	followed(t, s.rooms, "tea", 0)

	// A page that is closed while a feed is open is gone as well.
	page.Run(`{
		feed = new EventSource("/chat/feed?room=tea");
		feed.onmessage = (e) => heard.push(JSON.parse(e.data));
	}`, nil)
	followed(t, s.rooms, "tea", 1)
	page.Close()
	followed(t, s.rooms, "tea", 0)
	if thrown := b.Exceptions(); len(thrown) > 0 {
		t.Errorf("the page threw\n%s", strings.Join(thrown, "\n"))
	}
}
