// Package typescript generates TypeScript types from the methods of a peer, for
// clients/js.
package typescript

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goerpc/erpc/plugin/reflect"
)

// Declarations returns the text of a .d.ts file for the methods. from is the
// module of clients/js. The descriptions may come from an untrusted peer, so
// their texts are escaped: they can't break out of a string, a comment or a
// name.
func Declarations(methods []reflect.Description, from string) string {
	w := &writer{names: map[[sha256.Size]byte]string{}, taken: map[string]bool{}}
	kinds := map[string]*strings.Builder{reflect.Call: {}, reflect.Push: {}, reflect.Stream: {}}
	results := make([]string, len(methods))
	for i, m := range methods { // results first, so that they get the plain names
		results[i] = w.root(m.ResultSchema, "")
	}
	for i, m := range methods {
		to := kinds[m.Kind]
		if to == nil {
			continue // a kind of a later version
		}
		to.WriteString(comment(m.Doc))
		arg := w.root(m.ArgSchema, "Input")
		switch name := quote(m.Name); m.Kind {
		case reflect.Call:
			fmt.Fprintf(to, "  %s: { arg: %s; result: %s };\n", name, arg, results[i])
		case reflect.Push:
			fmt.Fprintf(to, "  %s: { arg: %s };\n", name, arg)
		case reflect.Stream:
			fmt.Fprintf(to, "  %s: { send: %s; receive: %s };\n", name, arg, results[i])
		}
	}
	var b strings.Builder
	b.WriteString("// Made by erpc types from what a peer tells of its methods.\n\n")
	fmt.Fprintf(&b, "import type { CallOptions, Peer, SendOptions, Stream } from %s;\n", quote(from))
	b.WriteString(w.types.String())
	for _, k := range [...][2]string{{"Calls", reflect.Call}, {"Pushes", reflect.Push}, {"Streams", reflect.Stream}} {
		fmt.Fprintf(&b, "\nexport interface %s {\n%s}\n", k[0], kinds[k[1]])
	}
	b.WriteString(typedPeer)
	return b.String()
}

// reserved lists the names that the file itself uses.
var reserved = []string{"CallOptions", "Peer", "SendOptions", "Stream", "Calls", "Pushes", "Streams", "TypedPeer", "Omit", "Promise", "Record"}

// typedPeer is the type of a peer of clients/js with the methods of the other
// side.
const typedPeer = `
/** What connect returns, for the methods above: const peer = connect(url) as TypedPeer. */
export type TypedPeer = Omit<Peer, "call" | "push" | "stream"> & {
  call<M extends keyof Calls>(method: M, arg: Calls[M]["arg"], options?: CallOptions): Promise<Calls[M]["result"]>;
  push<M extends keyof Pushes>(method: M, arg: Pushes[M]["arg"], options?: SendOptions): Promise<void>;
  stream<M extends keyof Streams>(method: M, arg?: Streams[M]["send"], options?: CallOptions): Stream<Streams[M]["receive"], Streams[M]["send"]>;
};
`

// A writer writes each definition once.
type writer struct {
	names map[[sha256.Size]byte]string // keyed by the digest of the definition
	taken map[string]bool
	types strings.Builder
}

// A scope holds the definitions that one schema refers to.
type scope struct {
	w     *writer
	defs  map[string]*reflect.Schema
	after string            // suffix for the names of types whose name is taken
	names map[string]string // of the definitions in defs
	same  map[string][sha256.Size]byte
}

// root returns the type of a schema, or "null" if s is nil.
func (w *writer) root(s *reflect.Schema, after string) string {
	if s == nil {
		return "null"
	}
	sc := &scope{w, s.Defs, after, map[string]string{}, digests(s.Defs)}
	return sc.typeOf(s, "")
}

// typeOf returns the type of a schema. indent is the indentation of its line.
func (sc *scope) typeOf(s *reflect.Schema, indent string) string {
	switch {
	case s == nil:
		return "unknown"
	case s.Ref != "":
		return sc.named(strings.TrimPrefix(s.Ref, "#/$defs/"))
	case len(s.AnyOf) > 0:
		var all []string
		seen := map[string]bool{}
		for _, of := range s.AnyOf {
			if t := sc.typeOf(of, indent); !seen[t] {
				seen[t] = true
				all = append(all, t)
			}
		}
		return strings.Join(all, " | ")
	case len(s.Enum) > 0:
		var all []string
		for _, v := range s.Enum {
			all = append(all, quote(v))
		}
		return strings.Join(all, " | ")
	}
	switch s.Type {
	case "string", "boolean", "null", "number":
		return s.Type
	case "integer":
		return "number"
	case "array":
		of := sc.typeOf(s.Items, indent)
		if strings.ContainsAny(of, " ") {
			of = "(" + of + ")"
		}
		return of + "[]"
	case "object":
		if s.Values != nil || len(s.Properties) == 0 {
			return "Record<string, " + sc.typeOf(s.Values, indent) + ">"
		}
		return sc.object(s, indent)
	}
	return "unknown"
}

func (sc *scope) object(s *reflect.Schema, indent string) string {
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		mark := "?"
		if required[name] {
			mark = ""
		}
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, quote(name), mark, sc.typeOf(s.Properties[name], indent+"  "))
	}
	return b.String() + indent + "}"
}

// named returns the name of a definition, and writes the definition unless an
// equal one was written before.
func (sc *scope) named(def string) string {
	if name, ok := sc.names[def]; ok {
		return name
	}
	s := sc.defs[def]
	if s == nil {
		return "unknown"
	}
	same := sc.same[def]
	if name, ok := sc.w.names[same]; ok {
		sc.names[def] = name
		return name
	}
	name := sc.w.free(def, sc.after)
	sc.names[def], sc.w.names[same] = name, name // set it before the fields, which may refer to it
	text := sc.typeOf(s, "")
	fmt.Fprintf(&sc.w.types, "\nexport type %s = %s;\n", name, text)
	return name
}

// maxRounds bounds the depth at which two otherwise equal types may differ to
// be distinguished.
const maxRounds = 16

// digests returns a digest of each definition, such that equal definitions have
// equal digests. It begins with the digest of the text, and in each round adds
// the digests of the definitions that it refers to.
func digests(defs map[string]*reflect.Schema) map[string][sha256.Size]byte {
	refs, now := map[string][]string{}, map[string][sha256.Size]byte{}
	for name, s := range defs {
		text, err := json.Marshal(s)
		if err != nil {
			text = nil // can't happen: the schema came from JSON
		}
		now[name] = sha256.Sum256(append([]byte(name+" "), text...))
		refs[name] = references(s, nil)
	}
	for range min(len(defs), maxRounds) {
		next := map[string][sha256.Size]byte{}
		for name, of := range refs {
			h := sha256.New()
			d := now[name]
			h.Write(d[:]) // never fails
			for _, ref := range of {
				d := now[ref]
				h.Write(d[:])
			}
			next[name] = [sha256.Size]byte(h.Sum(nil))
		}
		now = next
	}
	return now
}

// references appends the names that a schema refers to, in a deterministic
// order.
func references(s *reflect.Schema, list []string) []string {
	if s == nil {
		return list
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		list = append(list, name)
	}
	list = references(s.Values, references(s.Items, list))
	for _, of := range s.AnyOf {
		list = references(of, list)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		list = references(s.Properties[name], list)
	}
	return list
}

// free returns an unused name for a Go type.
func (w *writer) free(def, after string) string {
	_, local, ok := strings.Cut(def, ".") // drop the package
	if !ok {
		local = def
	}
	var b strings.Builder
	for _, word := range strings.FieldsFunc(local, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	plain := cmp.Or(b.String(), "Type")
	if plain[0] >= '0' && plain[0] <= '9' {
		plain = "Type" + plain
	}
	name := plain
	for n := 1; w.taken[name] || slices.Contains(reserved, name); n++ {
		name = plain + after
		if n > 1 {
			name = fmt.Sprintf("%s%s%d", plain, after, n)
		}
	}
	w.taken[name] = true
	return name
}

// comment returns a line of documentation.
func comment(doc string) string {
	if doc == "" {
		return ""
	}
	text := strings.Join(strings.FieldsFunc(doc, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u2029' }), " ")
	return "  /** " + strings.ReplaceAll(text, "*/", "*\\/") + " */\n"
}

// quote returns a JavaScript string literal.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // can't happen for a string
	}
	return string(b)
}
