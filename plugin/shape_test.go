package plugin

import (
	"reflect"
	"strings"
	"testing"
)

type (
	postGreet interface {
		Plugin
		PostGreet(int) string
	}
	preGreet interface {
		Plugin
		PreGreet(*Container) error
	}
)

var hookTypes = []reflect.Type{reflect.TypeFor[postGreet](), reflect.TypeFor[preGreet]()}

type (
	right     struct{ named }
	wrong     struct{ named }
	misspelt  struct{ named }
	wrongCase struct{ named }
	other     struct{ named }
	selective struct {
		right
		only string
	}
)

func (right) PostGreet(int) string           { return "" }
func (right) PreGreet(*Container) error      { return nil }
func (wrong) PostGreet(string) string        { return "" }
func (misspelt) PostGreets(int) string       { return "" }
func (misspelt) PreGreet(*Container) error   { return nil }
func (wrongCase) PostgreeT(int) string       { return "" }
func (other) PostProcess()                   {}
func (other) Great()                         {}
func (s selective) HasHook(name string) bool { return name == s.only }

func TestCheckShapes(t *testing.T) {
	for _, c := range []struct {
		p    Plugin
		want string
	}{
		{right{"a"}, ""},
		{named("a"), ""},
		{other{"a"}, ""},
		{wrong{"a"}, `method PostGreet of plugin "a" (plugin.wrong) is not the hook of that name, because its signature differs; it must be PostGreet(int) string`},
		{misspelt{"a"}, `method PostGreets of plugin "a" (plugin.misspelt) is not a hook; the hook is PostGreet, with the signature PostGreet(int) string`},
		{wrongCase{"a"}, "PostgreeT"},
	} {
		err := CheckShapes(c.p, hookTypes)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %q", c.p, err, c.want)
		}
	}
	if got := shape(reflect.TypeFor[preGreet]()); got != "PreGreet(*erpc.PluginContainer) error" {
		t.Errorf("shape %s", got)
	}
}

func TestHooksOfAPlugin(t *testing.T) {
	for _, c := range []struct {
		p    Plugin
		want string
	}{
		{right{"a"}, "PostGreet PreGreet"}, {misspelt{"a"}, "PreGreet"}, {named("a"), ""},
		{selective{right{"a"}, "PreGreet"}, "PreGreet"}, {selective{right{"a"}, "None"}, ""},
	} {
		if got := strings.Join(Hooks(c.p, hookTypes), " "); got != c.want {
			t.Errorf("%T: %s, want %s", c.p, got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	for _, c := range []struct {
		name, hook string
		want       bool
	}{
		{"PostMsg", "PostReg", false}, {"PostReq", "PostReg", true}, {"Postreg", "PostReg", true}, {"PostDial", "PreDial", false},
		{"PostReadCallHeaders", "PostReadCallHeader", true}, {"PostReadCallHead", "PostReadCallHeader", true}, {"PostReadCall", "PostReadCallHeader", false},
	} {
		if got := near(c.name, c.hook); got != c.want {
			t.Errorf("%s for %s: %v", c.name, c.hook, got)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3}, {"PostDial", "PreDial", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
