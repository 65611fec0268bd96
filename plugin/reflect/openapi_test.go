package reflect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/reflect"
)

type page1 struct {
	Number int
	Tags   []string `form:"tag"`
	base
	Raw    []byte
	hidden int //lint:ignore U1000 the test is that it is not shown
}

// serveHTTP starts a peer that speaks HTTP and returns its URL.
func serveHTTP(t *testing.T, cfg reflect.Config, register func(erpc.Peer, *reflect.Plugin)) string {
	t.Helper()
	r := reflect.New(cfg)
	p := kit.Peer(t, erpc.PeerConfig{Protocol: "http", LocalIP: "127.0.0.1"}, r)
	register(p, r)
	return "http://" + kit.Start(t, p)
}

// many registers methods of all kinds and with names that are hard to write as
// paths.
func many(p erpc.Peer, r *reflect.Plugin) {
	erpc.HandleCall(p, "/node", func(context.Context, *node) (*page[node], error) { return &page[node]{}, nil }, r.Doc("finds nodes"))
	erpc.HandleCall(p, "/page", func(_ context.Context, in *page1) (*page1, error) { return in, nil }, erpc.Safe())
	erpc.HandleCall(p, "/a b/{id}/é", func(_ context.Context, in *int) (*int, error) { return in, nil })
	erpc.HandleCall(p, "/a_b", func(_ context.Context, in *int) (*int, error) { return in, nil })
	erpc.HandleCall(p, "/a/b", func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	erpc.HandleCall(p, "/hidden/x", func(_ context.Context, in *int) (*int, error) { return in, nil })
	erpc.HandlePush(p, "/push", func(context.Context, *int) error { return nil })
	erpc.HandleStream(p, "/stream", func(_ context.Context, s *erpc.Stream[node, page[int]]) error { return nil }, erpc.Safe())
	erpc.HandleDownload(p, "/file", func(context.Context, io.Writer) error { return nil })
	chaterpc.RegisterChat(p, chaterpc.UnimplementedChatHandler{})
}

// openAPI is the part of a document that the tests read.
type openAPI struct {
	Info    struct{ Title, Version string }
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Parameters  []struct{ Name, In string }
		RequestBody struct {
			Content map[string]struct{ Schema *reflect.Schema }
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema *reflect.Schema }
		}
	}
	Components struct{ Schemas map[string]*reflect.Schema }
}

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, text
}

// The document describes what HTTP clients can do: each path, with its method and an
// example of the argument, finds its handler.
func TestOpenAPIIsTrue(t *testing.T) {
	url := serveHTTP(t, reflect.Config{Hide: []string{"/hidden/"}, OpenAPI: reflect.OpenAPI{Title: "nodes", Version: "1.2", Servers: []string{"/"}}}, many)
	res, text := get(t, url+reflect.OpenAPIMethod)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		t.Fatalf("status %s, %s: %s", res.Status, res.Header.Get("Content-Type"), text)
	}
	var d openAPI
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Info.Title != "nodes" || d.Info.Version != "1.2" || d.Servers[0].URL != "/" {
		t.Errorf("about %+v, %+v", d.Info, d.Servers)
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for verb, op := range methods {
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("the id %q is used twice", op.OperationID)
			}
			ids[op.OperationID] = true
			if _, ok := op.Responses["200"].Content["application/x-ndjson"]; ok {
				continue // streams are tested elsewhere
			}
			var body io.Reader
			if s := op.RequestBody.Content["application/json"].Schema; s != nil {
				example := *s
				example.Defs = map[string]*reflect.Schema{}
				for name, def := range d.Components.Schemas {
					example.Defs["/components/schemas/"+name] = def
				}
				arg, err := json.Marshal(fromComponents(&example).Example())
				if err != nil {
					t.Fatal(err)
				}
				body = bytes.NewReader(arg)
			}
			req, err := http.NewRequest(strings.ToUpper(verb), url+path, body)
			if err != nil {
				t.Fatal(err)
			}
			if body != nil {
				req.Header.Set("Content-Type", "application/json")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK && !strings.Contains(string(answer), "is not implemented") {
				t.Errorf("%s %s answers %s: %s, %v", verb, path, res.Status, answer, err)
			}
		}
	}
	for path, verbs := range map[string]int{"/node": 1, "/page": 2, "/a%20b/%7Bid%7D/%C3%A9": 1, "/stream": 2, "/file": 1, "/push": 0, "/hidden/x": 0, "/openapi.json": 0, "/chat.v1.Chat/Count": 2} {
		if len(d.Paths[path]) != verbs {
			t.Errorf("%s has %d methods, want %d", path, len(d.Paths[path]), verbs)
		}
	}
	if got := fmt.Sprint(d.Paths["/page"]["get"].Parameters); got != "[{Number query} {tag query} {ID query} {Name query}]" {
		t.Errorf("parameters %s", got)
	}
	if d.Paths["/node"]["post"].Summary != "finds nodes" {
		t.Error("the documentation is lost")
	}
	list := d.Components.Schemas
	for name, s := range list {
		for _, of := range s.Properties {
			if of.Ref != "" && list[strings.TrimPrefix(of.Ref, "#/components/schemas/")] == nil {
				t.Errorf("%s refers to %s, which is not there", name, of.Ref)
			}
		}
	}
	res, text = get(t, url+"/page?Number=7&tag=a&tag=b&ID=3&Name=n")
	if want := `{"Number":7,"Tags":["a","b"],"id":3,"Name":"n","Raw":null}`; res.StatusCode != http.StatusOK || string(text) != want {
		t.Errorf("the query gives %s: %s, want %s", res.Status, text, want)
	}
}

// fromComponents turns references to components into references to definitions.
func fromComponents(s *reflect.Schema) *reflect.Schema {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has been decoded
	}
	var out reflect.Schema
	text = bytes.ReplaceAll(text, []byte(`"#/components/schemas/`), []byte(`"#/$defs//components/schemas/`))
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return &out
}

// validate is a program that runs a validator we did not write. It reads the names
// of documents and prints what is wrong with them. The second loop covers what the
// schema of OpenAPI leaves open.
const validate = `
import json, sys
from openapi_spec_validator import OpenAPIV31SpecValidator
from jsonschema import Draft202012Validator
wrong = {}
for name, text in json.load(sys.stdin).items():
    document = json.loads(text)
    wrong[name] = [str(list(e.absolute_path)) + " " + e.message[:300] for e in OpenAPIV31SpecValidator(document).iter_errors()]
    for schema in document["components"]["schemas"].values():
        wrong[name] += [e.message[:300] for e in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema)]
json.dump(wrong, sys.stdout)
`

// openapi-spec-validator finds nothing wrong with the document, and does find
// something wrong with a broken one.
func TestOpenAPIIsValid(t *testing.T) {
	python := ""
	for _, p := range []string{"python3", filepath.Join("..", "..", "bin", "venv", "bin", "python3")} {
		if exec.Command(p, "-c", "import openapi_spec_validator").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		if os.Getenv("ERPC_INTEROP") != "" {
			t.Fatal("there is no openapi-spec-validator: pip install openapi-spec-validator")
		}
		t.Skip("there is no openapi-spec-validator; make test-interop installs it")
	}
	_, text := get(t, serveHTTP(t, reflect.Config{OpenAPI: reflect.OpenAPI{Servers: []string{"/api"}}}, many)+reflect.OpenAPIMethod)
	_, empty := get(t, serveHTTP(t, reflect.Config{}, func(erpc.Peer, *reflect.Plugin) {})+reflect.OpenAPIMethod)
	in, err := json.Marshal(map[string]string{
		"many methods":     string(text),
		"no methods":       string(empty),
		"a wrong response": strings.Replace(string(text), `"responses":{`, `"responses":{"2":1,`, 1),
		"a wrong schema":   strings.Replace(string(text), `"code":{"type":"integer"}`, `"code":{"type":"whole"}`, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, "-c", validate)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	var wrong map[string][]string
	if err := json.Unmarshal(out, &wrong); err != nil || len(wrong) != 4 {
		t.Fatalf("%s, %v", out, err)
	}
	for name, found := range wrong {
		if (len(found) > 0) != strings.HasPrefix(name, "a wrong") {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestOpenAPIIsRefusedAndOff(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  reflect.Config
		code int
	}{
		"refused": {reflect.Config{Allow: func(erpc.Session) bool { return false }}, http.StatusForbidden},
		"off":     {reflect.Config{OpenAPI: reflect.OpenAPI{Off: true}}, http.StatusNotFound},
	} {
		if res, text := get(t, serveHTTP(t, c.cfg, many)+reflect.OpenAPIMethod); res.StatusCode != c.code {
			t.Errorf("%s: %s, %s", name, res.Status, text)
		}
	}
}

// A handler that is registered later appears in the next answer.
func TestOpenAPIIsMadeAgain(t *testing.T) {
	var peer erpc.Peer
	url := serveHTTP(t, reflect.Config{}, func(p erpc.Peer, _ *reflect.Plugin) { peer = p })
	for i := range 3 {
		name := fmt.Sprintf("/new/%d", i)
		erpc.HandleCall(peer, name, func(context.Context, *int) (*int, error) { return nil, nil })
		for range 2 {
			if _, text := get(t, url+reflect.OpenAPIMethod); !strings.Contains(string(text), name) {
				t.Errorf("%s is not in %s", name, text)
			}
		}
	}
}
