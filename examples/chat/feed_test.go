package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// followed waits until a room has n followers.
func followed(t *testing.T, r *rooms, room string, n int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		got := len(r.followers[room])
		r.mu.Unlock()
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d follow %s, want %d", got, room, n)
		}
	}
}

// wantLines says a text and expects these lines, twice.
func wantLines(t *testing.T, lines *bufio.Scanner, speaker *goGuest, form string) {
	t.Helper()
	for _, text := range []string{"one", "two & <three>"} {
		speaker.say(text, 1)
		encoded := strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(text)
		want := fmt.Sprintf(form, `{"room":"tea","from":"rita","text":"`+encoded+`"}`)
		for line := range strings.SplitSeq(want, "|") {
			found := lines.Scan()
			for found && lines.Text() == ":" { // a comment, which keeps an idle connection alive, and its end
				_ = lines.Scan() // the blank line, or the end, which the next line decides
				found = lines.Scan()
			}
			if !found || lines.Text() != line {
				t.Fatalf("line %q, %v; want %q", lines.Text(), lines.Err(), line)
			}
		}
	}
}

// Programs that know nothing about erpc follow a room.
func TestFeedOverHTTP(t *testing.T) {
	s := serve(t)
	rita := comeRaw(t, s, "rita")
	rita.join("tea", "rita")
	for accept, form := range map[string]string{"text/event-stream": "data: %s|", "application/x-ndjson": "%s"} {
		t.Run(accept, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.webAddr+"/chat/feed?room=tea", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept", accept)
			req.Header.Set("Authorization", "Bearer "+token(t, s, "walt"))
			req.Header.Set("Origin", "http://app.test")
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != accept || resp.Header.Get("Access-Control-Allow-Origin") != "http://app.test" {
				t.Fatalf("%s %v", resp.Status, resp.Header)
			}
			followed(t, s.rooms, "tea", 1)
			wantLines(t, bufio.NewScanner(resp.Body), rita, form)
			_ = resp.Body.Close()
			followed(t, s.rooms, "tea", 0)
		})
	}
}

func TestFeedWithCurl(t *testing.T) {
	if os.Getenv("ERPC_INTEROP") == "" {
		t.Skip("ERPC_INTEROP is not set")
	}
	s := serve(t)
	rita := comeRaw(t, s, "rita")
	rita.join("tea", "rita")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	curl := exec.CommandContext(ctx, "curl", "-sN", "-H", "Authorization: Bearer "+token(t, s, "walt"), "http://"+s.webAddr+"/chat/feed?room=tea")
	out, err := curl.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := curl.Start(); err != nil {
		t.Fatal(err)
	}
	followed(t, s.rooms, "tea", 1)
	wantLines(t, bufio.NewScanner(out), rita, "%s")
	cancel()
	_ = curl.Wait() // it was killed
	followed(t, s.rooms, "tea", 0)
}

// Peers follow a room, too; when one breaks off, its stream ends.
func TestFeedOverStreams(t *testing.T) {
	s := serve(t)
	rita, follower := comeRaw(t, s, "rita"), comeWeb(t, s, "walt")
	rita.join("tea", "rita")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	talking := make(chan struct{})
	go func() { // until somebody has followed and received enough
		defer close(talking)
		for ctx.Err() == nil {
			rita.call("/chat/say", Say{"hello"}, nil)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	defer func() { cancel(); <-talking }()
	n := 0
	for m, err := range erpc.Subscribe[Message](ctx, follower.sess, "/chat/feed", &Feed{"tea"}) {
		if err != nil || *m != (Message{"tea", "rita", "hello"}) {
			t.Fatalf("%v, %v", m, err)
		}
		n++
		if n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d messages", n)
	}
	followed(t, s.rooms, "tea", 0)
	for _, room := range []string{"", " ", strings.Repeat("x", longestName+1)} {
		for _, err := range erpc.Subscribe[Message](ctx, follower.sess, "/chat/feed", &Feed{room}) {
			if erpc.StatusFromError(err).Code() != codeBadInput {
				t.Errorf("%q: %v", room, err)
			}
		}
	}
}

// A follower that does not read never delays a room.
func TestFollowerThatLags(t *testing.T) {
	r := newRooms(quiet)
	slow, quick := r.follow("tea"), r.follow("tea")
	for i := range maxBehind + 1 {
		r.mu.Lock()
		r.feedLocked(Message{"tea", "rita", fmt.Sprint(i)})
		r.mu.Unlock()
		if m := <-quick.messages; m.Text != fmt.Sprint(i) {
			t.Fatalf("%+v", m)
		}
	}
	select {
	case <-slow.behind:
	default:
		t.Error("the slow follower was not told")
	}
	select {
	case <-quick.behind:
		t.Error("the quick follower was dropped")
	default:
	}
	followed(t, r, "tea", 1)
	r.unfollow(slow) // as its handler would
	r.unfollow(quick)
	followed(t, r, "tea", 0)
	if len(r.followers) != 0 {
		t.Errorf("rooms that nobody follows were kept: %v", r.followers)
	}
}
