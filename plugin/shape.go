package plugin

import (
	"fmt"
	"reflect"
	"strings"
)

// A Selector is a plugin that implements more hooks than it uses, such as one
// made of functions.
type Selector interface {
	Plugin
	// HasHook reports whether the plugin uses the hook of that name.
	HasHook(name string) bool
}

// HookName returns the name of a hook interface's one method besides Name.
func HookName(hook reflect.Type) string {
	for i := range hook.NumMethod() {
		if name := hook.Method(i).Name; name != "Name" {
			return name
		}
	}
	return ""
}

// Hooks returns the names of the hooks that p uses.
func Hooks(p Plugin, hooks []reflect.Type) []string {
	var names []string
	selector, selects := p.(Selector)
	for _, hook := range hooks {
		name := HookName(hook)
		if reflect.TypeOf(p).Implements(hook) && (!selects || selector.HasHook(name)) {
			names = append(names, name)
		}
	}
	return names
}

// CheckShapes returns an error if a method of p has the name of a hook with
// another signature, or nearly the name of a hook. Such a method would never be
// called.
func CheckShapes(p Plugin, hooks []reflect.Type) error {
	typ := reflect.TypeOf(p)
	byName := make(map[string]reflect.Type, len(hooks))
	for _, hook := range hooks {
		byName[HookName(hook)] = hook
	}
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		hook, is := byName[m.Name]
		if is {
			if !typ.Implements(hook) {
				return fmt.Errorf("plugin: method %s of plugin %q (%T) is not the hook of that name, because its signature differs; it must be %s", m.Name, p.Name(), p, shape(hook))
			}
			continue
		}
		if !strings.HasPrefix(m.Name, "Pre") && !strings.HasPrefix(m.Name, "Post") {
			continue
		}
		for name, hook := range byName {
			if near(m.Name, name) {
				return fmt.Errorf("plugin: method %s of plugin %q (%T) is not a hook; the hook is %s, with the signature %s. Rename the method", m.Name, p.Name(), p, name, shape(hook))
			}
		}
	}
	return nil
}

// shape returns the signature of a hook's method, with the type names of the
// root package.
func shape(hook reflect.Type) string {
	m, _ := hook.MethodByName(HookName(hook))
	text := strings.TrimPrefix(m.Type.String(), "func")
	names := strings.NewReplacer("*peer.Peer", "erpc.Peer", "*peer.Config", "*erpc.PeerConfig", "*plugin.Container", "*erpc.PluginContainer",
		"session.Base", "erpc.BaseSession", "session.", "erpc.", "message.", "erpc.", "router.", "erpc.")
	return m.Name + names.Replace(text)
}

// near reports whether a method's name looks like a misspelled hook: they
// differ only in case, or in one letter, or in two if they are long.
func near(name, hook string) bool {
	most := 1
	if len(hook) > 10 {
		most = 2
	}
	return strings.EqualFold(name, hook) || distance(name, hook) <= most
}

// distance is the number of letters to add, drop or change between two names
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
