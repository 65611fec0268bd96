package reflect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// OpenAPIMethod is the method, and the path for HTTP clients, that returns an
// OpenAPI 3.1 description of what HTTP clients can call. It leaves out pushes,
// because HTTP clients can't push.
const OpenAPIMethod = "/openapi.json"

// OpenAPI configures [OpenAPIMethod]. The zero value works.
type OpenAPI struct {
	Off     bool     `yaml:"off" ini:"off" comment:"There is no description"`
	Title   string   `yaml:"title" ini:"title" comment:"Title of the service; empty is erpc"`
	Version string   `yaml:"version" ini:"version" comment:"Version of the service; empty is 0"`
	Servers []string `yaml:"servers" ini:"servers" comment:"URLs that paths are below; none is /"`
}

// A document is an OpenAPI document. The types here have only the fields that
// are used.
type document struct {
	OpenAPI    string                          `json:"openapi"`
	Info       info                            `json:"info"`
	Servers    []server                        `json:"servers,omitempty"`
	Paths      map[string]map[string]operation `json:"paths"` // by path and method, in lower case
	Components components                      `json:"components"`
}

type info struct {
	Title   string `json:"title"`
	Version string `json:"version"`
}

type server struct {
	URL string `json:"url"`
}

type components struct {
	Schemas map[string]*Schema `json:"schemas"`
}

type operation struct {
	OperationID string              `json:"operationId"`
	Summary     string              `json:"summary,omitempty"`
	Parameters  []parameter         `json:"parameters,omitempty"`
	RequestBody *payload            `json:"requestBody,omitempty"`
	Responses   map[string]response `json:"responses"`
}

type parameter struct {
	Name   string  `json:"name"`
	In     string  `json:"in"`
	Schema *Schema `json:"schema"`
}

type payload struct {
	Content map[string]media `json:"content"`
}

type response struct {
	Description string           `json:"description"`
	Content     map[string]media `json:"content,omitempty"`
}

type media struct {
	Schema *Schema `json:"schema"`
}

// Content types of requests and responses.
const (
	typeJSON   = "application/json"
	typeLines  = "application/x-ndjson"
	typeEvents = "text/event-stream"
	typeBytes  = "application/octet-stream"
)

// describeHTTP is the handler of [OpenAPIMethod].
func (p *Plugin) describeHTTP(ctx context.Context, _ *struct{}) (*json.RawMessage, error) {
	if err := p.allowed(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	text, of, now := p.openAPI, p.openAPIOf, len(p.handlers)
	p.mu.Unlock()
	if text != nil && of == now {
		return &text, nil
	}
	text, err := json.Marshal(p.document())
	if err != nil {
		return nil, fmt.Errorf("reflect: OpenAPI: %w", err)
	}
	p.mu.Lock()
	p.openAPI, p.openAPIOf = text, now
	p.mu.Unlock()
	return &text, nil
}

// document describes what HTTP clients may call.
func (p *Plugin) document() *document {
	const ref = "#/components/schemas/"
	d := &describer{
		args: newBuilder(false, ref, ""), results: newBuilder(true, ref, ".result"), ids: map[string]int{},
		document: document{
			OpenAPI: "3.1.0",
			Info:    info{cmp.Or(p.cfg.OpenAPI.Title, "erpc"), cmp.Or(p.cfg.OpenAPI.Version, "0")},
			Paths:   map[string]map[string]operation{},
		},
	}
	for _, url := range p.cfg.OpenAPI.Servers {
		d.Servers = append(d.Servers, server{url})
	}
	for _, s := range p.shown() {
		if strings.HasPrefix(s.Name, "/") && s.Kind != Push { // others are not paths
			d.add(s)
		}
	}
	d.Components.Schemas = d.args.defs
	maps.Copy(d.Components.Schemas, d.results.defs)
	d.Components.Schemas["erpc.Status"] = &Schema{Type: "object", Required: []string{"code", "msg"}, Properties: map[string]*Schema{
		"code": {Type: "integer"}, "msg": {Type: "string"}, "cause": {Type: "string"},
	}}
	return &d.document
}

// A describer builds a document.
type describer struct {
	document
	args, results *builder
	ids           map[string]int // how often each operation id was wanted
}

// add describes a method. A call and a stream of the same name share a path;
// calls come first.
func (d *describer) add(s shown) {
	path := pathOf(s.Name)
	if d.Paths[path] != nil {
		return
	}
	arg, result := schemaOr(d.args, s.h.ArgElemType()), schemaOr(d.results, s.h.ReplyType())
	op := operation{Summary: s.Doc, Responses: map[string]response{
		"200":     {Description: "the result", Content: map[string]media{typeJSON: {result}}},
		"default": {Description: "a failure; its status is the code if that is 400 to 599, else 500", Content: map[string]media{typeJSON: {&Schema{Ref: d.args.ref + "erpc.Status"}}}},
	}}
	post := map[string]media{typeJSON: {arg}}
	if s.Kind == Stream {
		post = map[string]media{typeLines: {arg}, typeJSON: {arg}, typeBytes: {&Schema{}}}
		op.Responses["200"] = response{
			Description: "messages, one after another: lines, events, or bytes as they are",
			Content:     map[string]media{typeLines: {result}, typeEvents: {result}, typeBytes: {&Schema{}}},
		}
	}
	methods := map[string]operation{}
	if s.Safe {
		get := op
		get.OperationID = d.id(s.Name, "get")
		get.Parameters = d.query(s.h.ArgElemType(), nil)
		methods["get"] = get
	}
	op.OperationID = d.id(s.Name, "")
	if s.h.ArgElemType() != nil {
		op.RequestBody = &payload{post}
	}
	methods["post"] = op
	d.Paths[path] = methods
}

// schemaOr returns the schema of a body. For bytes and for bodies without a
// type it is one that accepts everything.
func schemaOr(b *builder, t reflect.Type) *Schema {
	switch {
	case t == nil:
		return &Schema{}
	case indirect(t) == bytesType:
		return &Schema{Description: anyBody}
	}
	return b.schema(indirect(t))
}

// pathOf returns the path of a method. It escapes braces, which would mean a
// parameter.
func pathOf(name string) string { return (&url.URL{Path: name}).EscapedPath() }

// id returns a unique operation id of letters, digits and underscores, because
// code generators derive names from it.
func (d *describer) id(name, verb string) string {
	words := strings.FieldsFunc(name+"/"+verb, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
	id := cmp.Or(strings.Join(words, "_"), "call")
	for {
		d.ids[id]++
		n := d.ids[id]
		if n == 1 {
			return id
		}
		id = fmt.Sprintf("%s_%d", id, n)
	}
}

// query returns the query parameters for t, which are decoded as a form: scalar
// fields of a struct and lists of these, named by the form tag or by the field.
// above holds the structs that embed t.
func (d *describer) query(t reflect.Type, above []reflect.Type) (list []parameter) {
	if t == nil || indirect(t).Kind() != reflect.Struct {
		return nil
	}
	t = indirect(t)
	if slices.Contains(above, t) {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("form"), ",")
		elem := indirect(f.Type)
		if elem.Kind() == reflect.Slice || elem.Kind() == reflect.Array {
			elem = indirect(elem.Elem())
		}
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous || f.Type == bytesType:
		case tag == "" && elem.Kind() == reflect.Struct && elem != timeType:
			for _, p := range d.query(elem, append(above, t)) {
				list = addParameter(list, p)
			}
		case f.IsExported() && isScalar(elem):
			s := d.args.schema(indirect(f.Type))
			if len(s.AnyOf) > 0 { // a query can't express null
				s = s.AnyOf[0]
			}
			list = addParameter(list, parameter{Name: cmp.Or(tag, f.Name), In: "query", Schema: s})
		}
	}
	return list
}

// addParameter appends p unless the list has its name. A form sets all fields
// of the same name.
func addParameter(list []parameter, p parameter) []parameter {
	if slices.ContainsFunc(list, func(q parameter) bool { return q.Name == p.Name }) {
		return list
	}
	return append(list, p)
}

func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return t == timeType
}
