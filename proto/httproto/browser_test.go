//go:build unix

package httproto_test

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/chromium"
	"github.com/goerpc/erpc/proto/httproto"
)

// fetches is a page of another origin that calls two peers. open and shut are
// their addresses; shut has no CORS.
var fetches = template.Must(template.New("").Parse(`<!doctype html>
<link rel="icon" href="data:,">
<script type="module">
const open = "http://" + {{.open}}, shut = "http://" + {{.shut}}, said = {};
async function ask(name, url, options, look = (r) => r.text()) {
  try {
    const r = await fetch(url, options);
    said[name] = r.status + " " + await look(r);
  } catch (err) {
    said[name] = err.name;
  }
}
const post = (body, type, headers) => ({ method: "POST", body, headers: { ...(type && { "Content-Type": type }), ...headers } });
await ask("JSON", open + "/math/add", post("[1,2,3]", "application/json"));
await ask("GET", open + "/enc/form?a=1&b=%C3%A9");
await ask("form", open + "/enc/form", post(new URLSearchParams([["a", "1"], ["l", "p"], ["l", "q"]])));
await ask("text", open + "/enc/plain", post("grüße"));
await ask("XML", open + "/enc/form", post("<F><a>1</a></F>", "text/xml"));
await ask("protobuf", open + "/enc/pb", post(new Uint8Array([10, 2, 118, 49]), "application/x-protobuf"));
await ask("large", open + "/enc/bytes", post(new Blob([new Uint8Array(3 << 20)]), "application/octet-stream"), async (r) => (await r.blob()).size);
await ask("compressed", open + "/web/long", {}, async (r) => (await r.json()).length);
await ask("HEAD", open + "/math/add", { method: "HEAD" });
await ask("metadata", open + "/web/header", post('"X-Token"', "application/json", { "X-Token": "t" }));
await ask("metadata of the reply", open + "/math/meta", post("[1]", "application/json"), (r) => r.headers.get("K") + " " + r.headers.get("Server"));
await ask("page", open + "/web/page");
await ask("failure", open + "/math/fail", post("[]", "application/json"));
await ask("not found", open + "/no/such");
await ask("no such header", open + "/math/add", post("[1]", "application/json", { "X-Other": "t" }));
await ask("no CORS", shut + "/math/add", post("[1]", "application/json"));
await ask("no CORS, simple", shut + "/math/add");
await fetch("/done", { method: "POST", body: JSON.stringify(said) });
</script>`))

// TestFetch calls by a browser's fetch, from a page of another origin.
func TestFetch(t *testing.T) {
	open := serve(t, httproto.Config{CORS: &httproto.CORS{Origins: []string{"*"}, Headers: []string{"X-Token"}, Expose: []string{"K"}}}, erpc.PeerConfig{})
	shut := serve(t, httproto.Config{}, erpc.PeerConfig{})
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := fetches.Execute(w, map[string]string{"open": open.Addr, "shut": shut.Addr}); err != nil {
			t.Error(err)
		}
	})
	var got map[string]string
	if err := json.NewDecoder(strings.NewReader(chromium.Ask(t, page))).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"JSON":                  "200 6",
		"GET":                   `200 {"A":1,"B":"é","L":null}`,
		"form":                  `200 {"A":1,"B":"","L":["p","q"]}`,
		"text":                  "200 grüße",
		"XML":                   "200 <F><a>1</a><b></b></F>",
		"protobuf":              "200 \n\x02v1",
		"large":                 "200 3145728",
		"compressed":            "200 5000",
		"HEAD":                  "200 ",
		"metadata":              `200 "t"`,
		"metadata of the reply": "200 v1, v2 null",
		"page":                  "200 <p>a&lt;b</p>",
		"failure":               `500 {"code":1001,"msg":"bad thing","cause":"cause & x=1 100%"}`,
		"not found":             `404 {"code":404,"msg":"Not Found","cause":""}`,
		"no such header":        "TypeError",
		"no CORS":               "TypeError",
		"no CORS, simple":       "TypeError",
	} {
		if got[name] != want {
			t.Errorf("%s: fetch got %q, want %q", name, got[name], want)
		}
	}
}
