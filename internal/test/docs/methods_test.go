package docs_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
)

// The root page of the documentation lists the methods of the most important
// types, because these are aliases, whose methods go doc does not show there.
func TestRootPageListsMethods(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	page := string(src)
	logger := reflect.TypeFor[erpc.Logger]()
	// Methods of a peer for the layers below it.
	internal := []string{"Bind", "Gone", "Dispatch", "DispatchStream", "Host"}
	for _, c := range []struct {
		heading  string
		typ      reflect.Type
		besides  []string
		complete bool
	}{
		{"The methods of a [Peer]:", reflect.TypeFor[erpc.Peer](), internal, true},
		{"Of a [Session]:", reflect.TypeFor[erpc.Session](), nil, true},
		{"Of a [PreSession],", reflect.TypeFor[erpc.PreSession](), []string{"ID", "SetID", "LocalAddr", "RemoteAddr", "Peer", "Swap", "Close", "SessionAge", "SetSessionAge", "ContextAge", "SetContextAge"}, true},
		{"Of a [CallCtx],", reflect.TypeFor[erpc.CallCtx](), nil, true},
		{"Of a [CallCmd],", reflect.TypeFor[erpc.CallCmd](), nil, false},
		{"Of a [Status];", reflect.TypeFor[*erpc.Status](), nil, false},
	} {
		_, rest, ok := strings.Cut(page, c.heading)
		if !ok {
			t.Errorf("doc.go has no part %q", c.heading)
			continue
		}
		listed := namesOfBlock(rest)
		for _, name := range listed {
			if _, ok := c.typ.MethodByName(name); !ok {
				t.Errorf("%s %s is not a method of %v", c.heading, name, c.typ)
			}
		}
		for i := range c.typ.NumMethod() {
			name := c.typ.Method(i).Name
			_, logs := logger.MethodByName(name)
			if c.complete && !slices.Contains(listed, name) && !slices.Contains(c.besides, name) && !logs {
				t.Errorf("%s does not list %s; add it to doc.go", c.heading, name)
			}
		}
	}
}

var word = regexp.MustCompile(`\w+`)

// namesOfBlock returns the words of the first indented block of a comment.
func namesOfBlock(text string) (names []string) {
	begun := false
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(line, "//")
		switch {
		case strings.HasPrefix(line, "\t"):
			begun = true
			names = append(names, word.FindAllString(line, -1)...)
		case begun:
			return names
		}
	}
	return names
}
