package descriptors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goerpc/erpc/plugin/reflect"
)

const source = `syntax = "proto3";
package a.b;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
import "erpc/v1/erpc.proto";
// S is a service.
service S {
  // Call calls.
  // A second line.
  rpc Call(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Push(M) returns (erpc.v1.NoReply);
  rpc Down(M) returns (stream M);
  rpc Up(stream M) returns (M);
  rpc Both(stream M) returns (stream M);
}
enum E { ZERO = 0; ONE = 1; }
message M {
  int64 big = 1;
  uint32 small = 2;
  map<string, M> by_name = 3;
  repeated E many = 4;
  bytes raw = 5;
  google.protobuf.Timestamp at = 6;
  google.protobuf.Any any = 7;
  oneof x { double d = 8; bool yes = 9; }
  string text = 10;
}
`

func compiled(t *testing.T) *Set {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.proto"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Compile(t.Context(), nil, filepath.Join(dir, "s.proto")) // not below the current directory
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMethodsOfAllKinds(t *testing.T) {
	s := compiled(t)
	want := []reflect.Method{
		{Name: "/a.b.S/Both", Kind: reflect.Stream, Shape: reflect.BothStream, Arg: "a.b.M", Result: "a.b.M"},
		{Name: "/a.b.S/Call", Kind: reflect.Call, Doc: "Call calls.", Safe: true, Arg: "a.b.M", Result: "a.b.M"},
		{Name: "/a.b.S/Down", Kind: reflect.Stream, Shape: reflect.ServerStream, Arg: "a.b.M", Result: "a.b.M"},
		{Name: "/a.b.S/Push", Kind: reflect.Push, Arg: "a.b.M"},
		{Name: "/a.b.S/Up", Kind: reflect.Stream, Shape: reflect.ClientStream, Arg: "a.b.M", Result: "a.b.M"},
	}
	if len(s.Methods()) != len(want) {
		t.Fatalf("methods %+v", s.Methods())
	}
	for i, m := range s.Methods() {
		if m.Method != want[i] {
			t.Errorf("method %+v, want %+v", m.Method, want[i])
		}
	}
	if _, ok := s.Method("/a.b.S/None"); ok {
		t.Error("a method that does not exist was found")
	}
}

// JSON becomes a message, which becomes the same JSON again, including the content
// of an Any.
func TestThereAndBack(t *testing.T) {
	m, _ := compiled(t).Method("/a.b.S/Call")
	const text = `{"big":"12345678901234567","small":7,"byName":{"x":{"text":"in"}},"many":["ONE","ZERO"],"raw":"AAE=","at":"2001-02-03T04:05:06Z","any":{"@type":"type.googleapis.com/a.b.M","text":"packed"},"yes":true,"text":"hello"}`
	body, err := m.EncodeArg([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	back, err := m.DecodeResult(body)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if json.Unmarshal(back, &got) != nil || json.Unmarshal([]byte(text), &want) != nil {
		t.Fatalf("decoded %s", back)
	}
	if g, w := canonical(t, got), canonical(t, want); g != w {
		t.Errorf("decoded\n%s, want\n%s", g, w)
	}
	if b, err := m.EncodeArg(nil); err != nil || len(b) != 0 {
		t.Errorf("no argument is %x, %v", b, err)
	}
	if _, err := m.EncodeArg([]byte(`{"nothing":1}`)); err == nil || !strings.Contains(err.Error(), "a.b.M") {
		t.Errorf("an unknown field gives %v", err)
	}
	if _, err := m.DecodeResult([]byte("\xff")); err == nil {
		t.Error("half a message was decoded")
	}
	push, _ := compiled(t).Method("/a.b.S/Push")
	if _, err := push.EncodeResult(nil); err == nil {
		t.Error("a push has a result")
	}
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// protojson accepts the example of a schema, which has all fields.
func TestSchemaIsThatOfProtoJSON(t *testing.T) {
	m, _ := compiled(t).Method("/a.b.S/Call")
	s := SchemaOf(m.In)
	def := s.Defs["a.b.M"]
	if def == nil || len(def.Properties) != m.In.Fields().Len() {
		t.Fatalf("schema %+v", s)
	}
	for name, want := range map[string]string{"small": `{"type":"integer","minimum":0}`, "big": `{"anyOf":[{"type":"integer"},{"type":"string"}]}`,
		"byName": `{"type":"object","additionalProperties":{"$ref":"#/$defs/a.b.M"}}`, "many": `{"type":"array","items":{"type":"string","enum":["ZERO","ONE"]}}`,
		"at": `{"type":"string","format":"date-time"}`, "raw": `{"type":"string","contentEncoding":"base64"}`} {
		if got := canonical(t, def.Properties[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	example, ok := s.Example().(map[string]any)
	if !ok {
		t.Fatalf("example %v", s.Example())
	}
	delete(example, "d") // a oneof has one of its fields
	delete(example, "any")
	if err := protojson.Unmarshal([]byte(canonical(t, example)), dynamicpb.NewMessage(m.In)); err != nil {
		t.Error(err)
	}
	if SchemaOf(nil) != nil {
		t.Error("no message has a schema")
	}
}

// A descriptor set contains what the sources contain, except comments.
func TestReadDescriptorSet(t *testing.T) {
	s := compiled(t)
	var set descriptorpb.FileDescriptorSet
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		if !seen[f.Path()] {
			seen[f.Path()] = true
			set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
		}
	}
	m, _ := s.Method("/a.b.S/Call")
	add(m.In.ParentFile())
	write := func(set *descriptorpb.FileDescriptorSet) string {
		path := filepath.Join(t.TempDir(), "set")
		b, err := proto.Marshal(set)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write(&set)
	read, err := Read(path, path) // twice is the same as once
	if err != nil || len(read.Methods()) != len(s.Methods()) {
		t.Fatalf("read %v, %v", read, err)
	}
	alone := &descriptorpb.FileDescriptorSet{File: set.File[len(set.File)-1:]}
	if _, err := Read(write(alone)); err == nil || !strings.Contains(err.Error(), "include_imports") {
		t.Errorf("a set without imports: %v", err)
	}
}

func TestCompileTellsMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.proto")
	if err := os.WriteFile(path, []byte("syntax = \"proto3\";\nmessage {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(t.Context(), nil, path); err == nil || !strings.Contains(err.Error(), "bad.proto:2") {
		t.Errorf("error %v", err)
	}
	if _, err := Compile(t.Context(), nil, "nowhere.proto"); err == nil {
		t.Error("a file that does not exist was compiled")
	}
}

func TestPlaceOfFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.proto"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, path, dir, name string }{
		{"x", "x/y/a.proto", "", "y/a.proto"},
		{dir, "a.proto", "", "a.proto"},
		{".", "../a.proto", "..", "a.proto"},
		{".", "/etc/a.proto", "/etc", "a.proto"},
	} {
		if d, name := place([]string{c.in}, c.path); d != c.dir || name != c.name {
			t.Errorf("%s below %s is %q, %q", c.path, c.in, d, name)
		}
	}
}
