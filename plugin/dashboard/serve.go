package dashboard

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// assets are the files of the pages by name.
var assets = func() fs.FS {
	sub, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the name is valid
	}
	return sub
}()

// maxBody is how much an action may send, in bytes.
const maxBody = 1 << 20

// ServeHTTP serves the pages and their data on any path: what counts is the end of
// it, so the handler may be mounted with or without http.StripPrefix.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if !d.ready.Load() {
		answerError(w, http.StatusServiceUnavailable, "the dashboard has no peer yet; give it to NewPeer")
		return
	}
	if !d.knows(r.Host) {
		answerError(w, http.StatusMisdirectedRequest, "the dashboard is not known under this name; it must be in Config.Hosts")
		return
	}
	if err := d.crossed.Check(r); err != nil {
		answerError(w, http.StatusForbidden, "the request comes from a page of another origin")
		return
	}
	if d.cfg.Authorize != nil {
		if err := d.cfg.Authorize(r); err != nil {
			d.log().Info("dashboard: refused", "remote", r.RemoteAddr, "path", clip(r.URL.Path), "err", err)
			status := http.StatusForbidden
			if d.cfg.Challenge != "" {
				w.Header().Set("WWW-Authenticate", d.cfg.Challenge)
				status = http.StatusUnauthorized
			}
			answerError(w, status, "you may not do that")
			return
		}
	}
	dir, name := path.Split(r.URL.Path)
	if path.Base(dir) == "api" {
		d.api(w, r, name)
		return
	}
	d.page(w, r, name)
}

// harden lets a browser run and load only what comes from here, and keep nothing.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// knows reports whether a browser may ask under this name: see Config.Hosts.
func (d *Dashboard) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || name == "localhost" {
		return true
	}
	return slices.ContainsFunc(d.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) })
}

// page serves a file.
func (d *Dashboard) page(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answerError(w, http.StatusMethodNotAllowed, "pages are only for GET")
		return
	}
	switch {
	case r.URL.Path == "": // the mount point without its slash, which relative addresses need
		original, _, _ := strings.Cut(r.RequestURI, "?")
		w.Header().Set("Location", path.Base(original)+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	case name == "":
		name = "index.html"
	}
	content, err := fs.ReadFile(assets, name)
	if err != nil {
		answerError(w, http.StatusNotFound, "there is no such page")
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// api answers a request for data or an action.
func (d *Dashboard) api(w http.ResponseWriter, r *http.Request, name string) {
	views := map[string]func(*http.Request) (any, error){
		"overview": d.overview, "methods": d.methods, "slow": d.slow, "sessions": d.list, "session": d.one,
		"streams": d.streams, "rooms": d.rooms, "limits": d.limits, "handlers": d.forms, "describe": d.describe,
	}
	acts := map[string]func(*http.Request) (any, error){
		"kick": d.kick, "goaway": d.goaway, "push": d.push, "call": d.call, "level": d.level,
	}
	run, allow := views[name], "GET, HEAD"
	if run == nil {
		run, allow = acts[name], "POST"
	}
	switch {
	case run == nil:
		answerError(w, http.StatusNotFound, "there is no such data")
		return
	case !slices.Contains(strings.Split(allow, ", "), r.Method):
		w.Header().Set("Allow", allow)
		answerError(w, http.StatusMethodNotAllowed, "use "+allow)
		return
	case allow == "POST" && !d.cfg.Actions:
		answerError(w, http.StatusForbidden, "the dashboard only shows; Config.Actions is off")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := run(r)
	if err != nil {
		status, text := told(err)
		if status == http.StatusInternalServerError {
			d.log().Error("dashboard: "+name, "err", err)
		}
		answerError(w, status, text)
		return
	}
	answer(w, http.StatusOK, v)
}

func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // there is nothing in it that can't be encoded
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer can't be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // fails only when the viewer is gone
}

func answerError(w http.ResponseWriter, status int, text string) {
	answer(w, status, struct {
		Error string `json:"error"`
	}{text})
}

// Addr returns the address that the dashboard serves itself on; nil before it does.
func (d *Dashboard) Addr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addr
}

// retryListen is how long serve waits for an address that another process has, such
// as the one that this process is about to replace.
const retryListen = time.Second

// serve serves the dashboard on its own address until the peer is closed. A
// dashboard that can't must not keep the peer from its work, so it tries again.
func (d *Dashboard) serve(ended <-chan struct{}) {
	said := false
	for {
		lis, err := net.Listen("tcp", d.cfg.Listen)
		if err == nil {
			d.serveOn(lis, ended)
			return
		}
		if !said {
			d.log().Warn("dashboard: can't listen, and goes on trying", "address", d.cfg.Listen, "err", err)
			said = true
		}
		select {
		case <-time.After(retryListen):
		case <-ended:
			return
		}
	}
}

func (d *Dashboard) serveOn(lis net.Listener, ended <-chan struct{}) {
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(d.log().Handler(), slog.LevelDebug),
	}
	d.mu.Lock()
	d.addr = lis.Addr()
	d.mu.Unlock()
	d.log().Info("dashboard: serving", "address", "http://"+lis.Addr().String()+"/")
	go func() {
		<-ended
		_ = server.Close() // what it returns is of listeners that are gone
	}()
	if err := server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		d.log().Error("dashboard: no longer serving", "err", err)
	}
}
