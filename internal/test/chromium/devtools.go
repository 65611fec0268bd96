//go:build unix

package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A Browser is a headless Chromium, driven over the DevTools protocol: JSON over
// one WebSocket, requests with ids, and events without.
type Browser struct {
	t    *testing.T
	conn *websocket.Conn

	mu      sync.Mutex
	last    int
	pending map[int]chan answer
	thrown  []string // uncaught exceptions of the pages
	err     error    // why the connection ended
}

type answer struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// New starts a browser that is killed when the test ends. Without Chromium it skips
// the test, as [Start] does.
func New(t *testing.T) *Browser {
	t.Helper()
	dir, ended := Start(t, "about:blank", "--window-size=900,600", "--hide-scrollbars")
	b := &Browser{t: t, pending: map[int]chan answer{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	url, err := endpoint(ctx, filepath.Join(dir, "DevToolsActivePort"), ended)
	if err != nil {
		t.Fatal(err)
	}
	b.conn, _, err = websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.conn.SetReadLimit(32 << 20) // screenshots
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read()
	}()
	t.Cleanup(func() {
		_ = b.conn.CloseNow() // the browser is killed next
		<-read
	})
	return b
}

// endpoint waits for the file in which the browser writes where it listens: the
// port in the first line, the path in the second.
func endpoint(ctx context.Context, file string, ended <-chan struct{}) (string, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(file)
		if port, path, ok := strings.Cut(string(text), "\n"); err == nil && ok && path != "" {
			return "ws://127.0.0.1:" + port + strings.TrimSpace(path), nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return "", errors.New("chromium ended at its start")
		case <-ctx.Done():
			return "", fmt.Errorf("chromium does not listen: %w", ctx.Err())
		}
	}
}

// read distributes answers until the connection ends.
func (b *Browser) read() {
	for {
		_, data, err := b.conn.Read(context.Background())
		var a answer
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		b.mu.Lock()
		if err != nil {
			b.err = err
			for _, ch := range b.pending {
				close(ch)
			}
			b.pending = nil
			b.mu.Unlock()
			return
		}
		if ch, ok := b.pending[a.ID]; ok && a.ID != 0 {
			delete(b.pending, a.ID)
			ch <- a
		} else if a.Method == "Runtime.exceptionThrown" {
			b.thrown = append(b.thrown, string(a.Params))
		}
		b.mu.Unlock()
	}
}

// do sends a command to a page, or to the browser itself if page is "", and waits
// for its result.
func (b *Browser) do(page, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	ch := make(chan answer, 1)
	b.mu.Lock()
	if b.err != nil {
		b.mu.Unlock()
		return b.err
	}
	b.last++
	id := b.last
	b.pending[id] = ch
	b.mu.Unlock()
	request, err := json.Marshal(struct {
		ID      int    `json:"id"`
		Session string `json:"sessionId,omitempty"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{id, page, method, params})
	if err != nil {
		return err
	}
	if err := b.conn.Write(ctx, websocket.MessageText, request); err != nil {
		return err
	}
	select {
	case a, ok := <-ch:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser is gone", method)
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case result != nil:
			return json.Unmarshal(a.Result, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (b *Browser) must(page, method string, params, result any) {
	b.t.Helper()
	if err := b.do(page, method, params, result); err != nil {
		b.t.Fatal(err)
	}
}

// Exceptions returns the uncaught exceptions of the pages.
func (b *Browser) Exceptions() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.thrown
}

// A Tab is a page with its own window and profile, like that of another user.
type Tab struct {
	*Browser
	target, session string
}

// Open opens a page.
func (b *Browser) Open(url string) *Tab {
	b.t.Helper()
	type m = map[string]any
	var made struct {
		Context string `json:"browserContextId"`
		Target  string `json:"targetId"`
		Session string `json:"sessionId"`
	}
	b.must("", "Target.createBrowserContext", nil, &made)
	b.must("", "Target.createTarget", m{"url": "about:blank", "browserContextId": made.Context, "newWindow": true, "width": 900, "height": 600}, &made)
	b.must("", "Target.attachToTarget", m{"targetId": made.Target, "flatten": true}, &made)
	b.must(made.Session, "Runtime.enable", nil, nil)
	b.must(made.Session, "Page.navigate", m{"url": url}, nil) // returns when scripts run in the new page
	return &Tab{b, made.Target, made.Session}
}

// Run evaluates JavaScript, waits for the promise if it is one, and fails the test
// if it throws.
func (p *Tab) Run(script string, result any) {
	p.t.Helper()
	var out struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	p.must(p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	if out.Exception != nil {
		p.t.Fatalf("%s\n%s %s", script, out.Exception.Text, out.Exception.Exception.Description)
	}
	if result != nil {
		if err := json.Unmarshal(out.Result.Value, result); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Wait waits until a JavaScript expression is true.
func (p *Tab) Wait(condition string) {
	p.t.Helper()
	script := fmt.Sprintf(`new Promise((resolve) => {
		const end = Date.now() + %d;
		const look = () => {
			let ok = false;
			try { ok = %s; } catch { /* the page is still loading */ }
			if (ok || Date.now() > end) resolve(ok ? "" : document.documentElement.outerHTML);
			else setTimeout(look, 10);
		};
		look();
	})`, (patience / 2).Milliseconds(), condition)
	var html string
	p.Run(script, &html)
	if html != "" {
		p.t.Fatalf("never true: %s\n%s", condition, html)
	}
}

// Screenshot writes a PNG file.
func (p *Tab) Screenshot(file string) {
	p.t.Helper()
	var shot struct {
		Data []byte `json:"data"` // base64 in JSON
	}
	p.must(p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	if err := os.WriteFile(file, shot.Data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Close closes the page.
func (p *Tab) Close() {
	p.t.Helper()
	p.must("", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}

// Show sets the size of the page's window, in pixels, and its colour scheme,
// "light" or "dark".
func (p *Tab) Show(width, height int, scheme string) {
	p.t.Helper()
	type m = map[string]any
	p.must(p.session, "Emulation.setDeviceMetricsOverride", m{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	p.must(p.session, "Emulation.setEmulatedMedia", m{"features": []m{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}
