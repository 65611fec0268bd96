package main

import (
	_ "embed"
	"errors"
	"fmt"
	"go/types"
	"path"
	"slices"
	"strings"
)

// A rule says what programs use in place of the names that fit its pattern.
type rule struct {
	pattern, text string
	used          bool
}

//go:embed instead.txt
var insteadText string

// parseRules reads instead.txt.
func parseRules(text string) ([]*rule, error) {
	var rules []*rule
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, instead, ok := strings.Cut(line, "\t")
		if _, err := path.Match(pattern, ""); !ok || instead == "" || err != nil {
			return nil, fmt.Errorf("v7names: instead.txt, line %d: want a pattern, a tab and a text", n+1)
		}
		rules = append(rules, &rule{pattern: pattern, text: instead})
	}
	return rules, nil
}

// moved are the packages of v7 that have another path here.
var moved = map[string]string{"kcp": "socket/kcp", "quic": "socket/quic"}

// A page collects what is said of the names of v7.
type page struct {
	our   map[string]*types.Package
	rules []*rule
	out   strings.Builder
	errs  []error
	total struct{ names, same, instead int }
}

const pageHead = `<!-- Made by interop/v7names. Do not edit: change instead.txt there and run make v7-names. -->

# The names of erpc v7

What has become of each exported name of erpc v7.2.2: its packages are below ` + "`github.com/andeya/erpc/v7`" + `, ours below ` + "`github.com/goerpc/erpc`" + `. A name under "The same" compiles as it is, but for types that are another kind now: see [migrating.md](migrating.md).
`

// makePage returns docs/v7-names.md. A name that is neither here nor in the rules
// is an error, and so is a rule that no name needs.
func makePage(v7, our map[string]*types.Package, rules []*rule) (string, error) {
	p := &page{our: our, rules: rules}
	p.out.WriteString(pageHead)
	paths := make([]string, 0, len(v7))
	for path := range v7 {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		p.section(path, v7[path])
	}
	fmt.Fprintf(&p.out, "\n## In numbers\n\nOf %d names, methods and fields %d are the same, and %d have something in their place.\n", p.total.names, p.total.same, p.total.instead)
	for _, r := range rules {
		if !r.used {
			p.errs = append(p.errs, fmt.Errorf("v7names: instead.txt: no missing name fits %q", r.pattern))
		}
	}
	return p.out.String(), errors.Join(p.errs...)
}

// section writes what became of one package.
func (p *page) section(path string, pkg *types.Package) {
	title := path
	if path == "" {
		title = "erpc"
	}
	same, rows := p.names(title, path, pkg)
	fmt.Fprintf(&p.out, "\n## %s\n", title)
	if len(same) > 0 {
		fmt.Fprintf(&p.out, "\nThe same: %s.\n", strings.Join(same, ", "))
	}
	if len(rows) == 0 {
		return
	}
	p.out.WriteString("\n| v7 | here |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&p.out, "| `%s` | %s |\n", strings.Join(r.names, "`, `"), r.text)
	}
}

// A row is names for which the same is said.
type row struct {
	names []string
	text  string
}

func (p *page) names(title, path string, pkg *types.Package) (same []string, rows []row) {
	add := func(name, text string) {
		p.total.instead++
		if i := slices.IndexFunc(rows, func(r row) bool { return r.text == text }); i >= 0 {
			rows[i].names = append(rows[i].names, name)
			return
		}
		rows = append(rows, row{[]string{name}, text})
	}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		p.total.names++
		mine, where := p.find(path, name)
		switch {
		case mine == nil:
			add(name, p.instead(title+"."+name))
			continue
		case where == "":
			p.total.same++
			same = append(same, "`"+name+"`")
		default:
			add(name, "`"+where+"."+name+"`")
		}
		if _, ok := obj.(*types.TypeName); !ok {
			continue
		}
		have := members(mine.Type())
		for _, m := range members(obj.Type()) {
			p.total.names++
			if _, ok := slices.BinarySearch(have, m); ok {
				p.total.same++
				continue
			}
			add(name+"."+m, p.instead(title+"."+name+"."+m))
		}
	}
	return same, rows
}

// find returns what has the name here. where is the package that a program has to
// name, or empty if that is the one of v7. Only the names of v7's socket are also
// in the root package; elsewhere a name there is another thing.
func (p *page) find(path, name string) (obj types.Object, where string) {
	if pkg := p.our[path]; pkg != nil {
		if obj := pkg.Scope().Lookup(name); obj != nil {
			return obj, ""
		}
	}
	if to, ok := moved[path]; ok {
		if obj := p.our[to].Scope().Lookup(name); obj != nil {
			return obj, to
		}
	}
	if path == "socket" {
		if obj := p.our[""].Scope().Lookup(name); obj != nil {
			return obj, "erpc"
		}
	}
	return nil, ""
}

// instead returns what the rules say of a missing name.
func (p *page) instead(name string) string {
	for _, r := range p.rules {
		if ok, _ := path.Match(r.pattern, name); ok { // parseRules has checked the pattern
			r.used = true
			return r.text
		}
	}
	p.errs = append(p.errs, fmt.Errorf("v7names: %s of v7 is not here, and instead.txt does not say what to use", name))
	return ""
}
