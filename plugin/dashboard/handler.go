package dashboard

import (
	"bytes"
	"embed"
	"io/fs"
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

// assets holds the files of the pages.
var assets = func() fs.FS {
	sub, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the name is valid
	}
	return sub
}()

// maxBody bounds the body of an action's request, in bytes.
const maxBody = 1 << 20

// ServeHTTP serves the pages and their data on any path. Only the end of the
// path matters, so the handler may be mounted with or without http.StripPrefix.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if !d.ready.Load() {
		answerError(w, http.StatusServiceUnavailable, "the dashboard has no peer yet; give it to NewPeer")
		return
	}
	if !d.knows(r.Host) {
		answerError(w, http.StatusMisdirectedRequest, "the dashboard is not served under this host name; add it to Config.Hosts")
		return
	}
	if err := d.crossed.Check(r); err != nil {
		answerError(w, http.StatusForbidden, "the request comes from a page of another origin")
		return
	}
	if d.cfg.Authorize != nil {
		if err := d.cfg.Authorize(r); err != nil {
			d.refused.Do(func(leftOut uint64) {
				d.log().Info("dashboard: refused", "remote", r.RemoteAddr, "path", clip(r.URL.Path), "err", err, "left_out", leftOut)
			})
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

// harden sets headers that make browsers run and load only content of this
// server, and cache nothing.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// knows reports whether browsers may use this host name; see Config.Hosts.
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
		answerError(w, http.StatusMethodNotAllowed, "use GET for pages")
		return
	}
	original, _, _ := strings.Cut(r.RequestURI, "?") // the path before http.StripPrefix
	if r.URL.Path == "" && !strings.HasSuffix(original, "/") {
		w.Header().Set("Location", path.Base(original)+"/") // relative URLs need the slash
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if name == "" {
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
		answerError(w, http.StatusForbidden, "the dashboard is read-only; Config.Actions is off")
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
