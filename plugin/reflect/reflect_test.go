package reflect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	stdreflect "reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/examples/protobuf/chat"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
	"github.com/goerpc/erpc/plugin/reflect"
)

type base struct {
	ID   int    `json:"id"`
	Name string // hidden by the field of node
}

type node struct {
	base
	Name     string            `json:"Name,omitempty"`
	Next     *node             `json:"next,omitempty"`
	Tags     map[string]uint8  `json:"tags"`
	Raw      []byte            `json:"raw"`
	At       time.Time         `json:"at"`
	Count    int64             `json:"count,string"`
	Any      any               `json:"any"`
	Pair     [2]float64        `json:"pair"`
	Skipped  chan int          `json:"-"`
	private  int               //lint:ignore U1000 the test is that it is not shown
	Anon     struct{ X bool }  `json:"anon"`
	Children page[node]        `json:"children"`
	Self     json.RawMessage   `json:"self"`
	Labels   page[page[label]] `json:"labels"`
}

type label string

type page[T any] struct {
	Items []T `json:"items"`
}

// The schema of a type follows encoding/json: each reference has its definition,
// and each key that encoding/json writes is a property.
func TestSchemaFollowsJSON(t *testing.T) {
	s := reflect.SchemaOf(stdreflect.TypeFor[*node](), true)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	def := s.Defs["reflect_test.node"]
	if s.Ref != "#/$defs/reflect_test.node" || def == nil {
		t.Fatalf("schema %s", text)
	}
	written, err := json.Marshal(&node{Name: "n", Next: &node{}})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(written, &keys); err != nil {
		t.Fatal(err)
	}
	for key := range keys {
		if def.Properties[key] == nil {
			t.Errorf("no property %q in %s", key, text)
		}
	}
	if len(def.Properties) != len(keys) {
		t.Errorf("%d properties, %d keys are written: %s", len(def.Properties), len(keys), text)
	}
	for key, want := range map[string]reflect.Schema{
		"id": {Type: "integer"}, "Name": {Type: "string"}, "count": {Type: "string", Examples: []string{"0"}}, "any": {},
		"at": {Type: "string", Format: "date-time"}, "children": {Ref: "#/$defs/reflect_test.page_github.com_goerpc_erpc_plugin_reflect_test.node_"},
	} {
		got := *def.Properties[key]
		if !stdreflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}
	if slices.Contains(def.Required, "next") || !slices.Contains(def.Required, "id") {
		t.Errorf("required are %q", def.Required)
	}
	checkRefs(t, s, s.Defs)
	if arg := reflect.SchemaOf(stdreflect.TypeFor[node](), false); arg.Defs["reflect_test.node"].Required != nil {
		t.Error("an argument must have all fields")
	}
	if reflect.SchemaOf(nil, true) != nil {
		t.Error("no type has a schema")
	}
}

// checkRefs fails the test for a reference to nothing.
func checkRefs(t *testing.T, s *reflect.Schema, defs map[string]*reflect.Schema) {
	if s == nil {
		return
	}
	if s.Ref != "" && defs[s.Ref[len("#/$defs/"):]] == nil {
		t.Errorf("%s refers to nothing", s.Ref)
	}
	checkRefs(t, s.Items, defs)
	checkRefs(t, s.Values, defs)
	for _, of := range s.AnyOf {
		checkRefs(t, of, defs)
	}
	for _, of := range s.Properties {
		checkRefs(t, of, defs)
	}
	for _, of := range s.Defs {
		checkRefs(t, of, defs)
	}
}

// A dialed session gets the methods of all kinds, with documentation, but not the
// hidden ones.
func TestListAndDescribe(t *testing.T) {
	r := reflect.New(reflect.Config{Hide: []string{"/internal/"}})
	_, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{r}}.Pair(t, func(p erpc.Peer) {
		erpc.HandleCall(p, "/node", func(context.Context, *node) (*page[node], error) { return nil, nil }, r.Doc("finds nodes"))
		erpc.HandleCall(p, "/internal/x", func(context.Context, *int) (*int, error) { return nil, nil })
		erpc.HandlePush(p, "/at", func(context.Context, *timestamppb.Timestamp) error { return nil })
		erpc.HandleStream(p, "/chat", func(context.Context, *erpc.Stream[int, string]) error { return nil })
		erpc.HandleDownload(p, "/file", func(context.Context, io.Writer) error { return nil })
		p.SetUnknownPush(func(erpc.UnknownPushCtx) *erpc.Status { return nil })
	}, nil)
	list, err := erpc.Call[reflect.List](t.Context(), cli, reflect.ListMethod, &reflect.ListArg{})
	if err != nil {
		t.Fatal(err)
	}
	want := []reflect.Method{
		{Name: "/at", Kind: reflect.Push, Arg: "timestamppb.Timestamp"},
		{Name: "/chat", Kind: reflect.Stream, Arg: "int", Result: "string"},
		{Name: "/file", Kind: reflect.Stream, Result: "[]uint8"},
		{Name: "/node", Kind: reflect.Call, Doc: "finds nodes", Arg: "reflect_test.node", Result: "reflect_test.page[github.com/goerpc/erpc/plugin/reflect_test.node]"},
	}
	if !slices.Equal(list.Methods, want) || list.AnyCall || !list.AnyPush || list.Version != reflect.Version {
		t.Errorf("list is %+v", list)
	}
	d, err := erpc.Call[reflect.Descriptions](t.Context(), cli, reflect.DescribeMethod, &reflect.DescribeArg{Names: []string{"/node", "/at", "/internal/x", "/nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Methods) != 2 || d.Methods[0].ArgMessage != "google.protobuf.Timestamp" || d.Methods[1].ResultSchema == nil {
		t.Errorf("described are %+v", d.Methods)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(d.Files, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.FindDescriptorByName("google.protobuf.Timestamp"); err != nil {
		t.Error(err)
	}
}

func TestAllowAndBounds(t *testing.T) {
	for name, c := range map[string]struct {
		allow bool
		names int
		code  int32
	}{
		"refused":        {names: 1, code: reflect.CodeForbidden},
		"allowed":        {allow: true, names: 100},
		"too many names": {allow: true, names: 101, code: erpc.CodeBadMessage},
	} {
		t.Run(name, func(t *testing.T) {
			r := reflect.New(reflect.Config{Allow: func(s erpc.Session) bool { return s != nil && c.allow }})
			_, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{r}}.Pair(t, nil, nil)
			st := cli.Call(reflect.DescribeMethod, &reflect.DescribeArg{Names: make([]string, c.names)}, nil).Status()
			if st.Code() != c.code {
				t.Errorf("status %v, want code %d", st, c.code)
			}
		})
	}
}

// An example has every field, fits the type, and has a bounded size for any schema.
func TestExample(t *testing.T) {
	s := reflect.SchemaOf(stdreflect.TypeFor[node](), false)
	text, err := json.Marshal(s.Example())
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil || len(keys) != len(s.Defs["reflect_test.node"].Properties) {
		t.Errorf("example %s, %v", text, err)
	}
	if err := json.Unmarshal(text, new(node)); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	wide := &reflect.Schema{Ref: "#/$defs/x", Defs: map[string]*reflect.Schema{"x": {Type: "object", Properties: map[string]*reflect.Schema{}}}}
	for i := range 500 {
		wide.Defs["x"].Properties[fmt.Sprint(i)] = &reflect.Schema{Ref: "#/$defs/x"}
	}
	text, err = json.Marshal(wide.Example())
	if err != nil || len(text) > 100_000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if (*reflect.Schema)(nil).Example() != nil {
		t.Error("no schema has an example")
	}
}

// The shape of a stream is the one of the service in its .proto file.
func TestShapes(t *testing.T) {
	r := reflect.New(reflect.Config{})
	_, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{r}}.Pair(t, func(p erpc.Peer) {
		chaterpc.RegisterChat(p, chaterpc.UnimplementedChatHandler{})
		erpc.HandleStream(p, "/chat.v1.Chat/Say", func(context.Context, *erpc.Stream[int, int]) error { return nil })
		erpc.HandleStream(p, "/other", func(context.Context, *erpc.Stream[chat.Room, chat.Line]) error { return nil })
	}, nil)
	list, err := erpc.Call[reflect.List](t.Context(), cli, reflect.ListMethod, &reflect.ListArg{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Methods {
		want := ""
		if m.Name == "/chat.v1.Chat/Watch" {
			want = reflect.ServerStream
		}
		if m.Shape != want {
			t.Errorf("%s has the shape %q, want %q", m.Name, m.Shape, want)
		}
	}
}
