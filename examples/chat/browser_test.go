//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/chromium"
)

// quote returns a value as JavaScript.
func quote(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// texts is JavaScript for the texts of the elements that a selector finds.
func texts(selector string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.textContent)`, selector)
}

// A tab is a page of the chat.
type tab struct {
	t *testing.T
	*chromium.Tab
}

// shows waits until the elements of a list have just these texts.
func (p tab) shows(list string, want ...string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`JSON.stringify(%s) === JSON.stringify(%s)`, texts("#"+list+" li"), quote(p.t, want)))
}

func (p tab) join(room, name string) {
	p.t.Helper()
	p.Wait(`document.getElementById("state").textContent === "open"`)
	p.Run(fmt.Sprintf(`{
		document.getElementById("name").value = %s;
		document.getElementById("room").value = %s;
		document.querySelector("#join button").click();
	}`, quote(p.t, name), quote(p.t, room)), nil)
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
	anna.join("lobby", "Anna")
	anna.shows("members", "Anna")
	ben.join("lobby", "Ben")
	anna.shows("members", "Anna", "Ben")
	ben.shows("members", "Anna", "Ben")
	gopher := comeRaw(t, s)
	gopher.join("lobby", "gopher", "Anna", "Ben", "gopher")
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

	for name, p := range map[string]tab{"Anna": anna, "Ben": ben} { // each is shown who it is
		p.Wait(fmt.Sprintf(`JSON.stringify(%s) === %s`, texts("#members .me"), quote(t, `["`+name+`"]`)))
		p.Wait(`document.querySelectorAll("#messages .me").length === 1`)
	}

	// The page's fetch, from another origin than the API's.
	walker := comeRaw(t, s)
	walker.join("garden", "walker", "walker")
	anna.say("Who is in the garden?")
	gopher.hears(Message{"lobby", "Anna", "Who is in the garden?"})
	var rooms map[string]int
	anna.Run(fmt.Sprintf(`fetch("http://%s/chat/rooms", { headers: { "Content-Type": "application/json" } }).then((r) => r.json())`, s.apiAddr), &rooms)
	if len(rooms) != 2 || rooms["lobby"] != 3 || rooms["garden"] != 1 {
		t.Errorf("fetch got %v", rooms)
	}
	var refused string
	anna.Run(fmt.Sprintf(`fetch("http://%s/no/such").then(async (r) => r.status + " " + await r.text())`, s.apiAddr), &refused)
	if refused != `404 {"code":404,"msg":"Not Found","cause":""}` {
		t.Errorf("fetch of nothing got %s", refused)
	}

	// A name that is taken is said so, and nothing is lost.
	anna.join("lobby", "gopher")
	anna.Wait(`document.querySelector("#messages li.note")?.textContent === "gopher is already here"`)

	// A page whose connection breaks comes back to its room by itself.
	s.chat.RangeSession(func(sess erpc.Session) bool {
		if g, ok := guestOf(sess); ok && g.name == "Ben" {
			_ = sess.Close() // what the page does then is tested
		}
		return true
	})
	gopher.sees("lobby", "Anna", "gopher", "Ben")
	ben.shows("members", "Anna", "gopher", "Ben")
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

	ben.Close()
	gopher.sees("lobby", "Anna", "gopher")
	anna.shows("members", "Anna", "gopher")
	if thrown := b.Exceptions(); len(thrown) > 0 {
		t.Errorf("the pages threw\n%s", strings.Join(thrown, "\n"))
	}
}

// A page follows the feed by the EventSource that every browser has, and its leaving
// ends the handler.
func TestFeedInBrowser(t *testing.T) {
	b := chromium.New(t)
	s := serve(t)
	page := tab{t, b.Open("http://" + s.webAddr + "/")}
	rita := comeRaw(t, s)
	rita.join("tea", "rita", "rita")
	page.Run(fmt.Sprintf(`{
		window.heard = [];
		window.feed = new EventSource("http://%s/chat/feed?room=tea");
		feed.onmessage = (e) => heard.push(JSON.parse(e.data));
	}`, s.apiAddr), nil)
	followed(t, s.rooms, "tea", 1)
	page.Wait(`feed.readyState === EventSource.OPEN`)
	said := []string{"one", "two & <three>", "Grüße, 你好 👋"}
	for i, text := range said {
		rita.say(text, 1)
		page.Wait(fmt.Sprintf(`heard.length === %d && heard[%d].from === "rita" && heard[%d].text === %s`, i+1, i, i, quote(t, text)))
	}
	page.Run(`feed.close()`, nil)
	followed(t, s.rooms, "tea", 0)

	// A page that is closed with a feed open is gone as well.
	page.Run(fmt.Sprintf(`{
		feed = new EventSource("http://%s/chat/feed?room=tea");
		feed.onmessage = (e) => heard.push(JSON.parse(e.data));
	}`, s.apiAddr), nil)
	followed(t, s.rooms, "tea", 1)
	page.Close()
	followed(t, s.rooms, "tea", 0)
	if thrown := b.Exceptions(); len(thrown) > 0 {
		t.Errorf("the page threw\n%s", strings.Join(thrown, "\n"))
	}
}
