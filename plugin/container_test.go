package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

type named string

func (n named) Name() string { return string(n) }

// A greeter implements a hook, as far as the layer that declares the hook can tell.
type greeter interface {
	Plugin
	Greet() string
}

type polite struct{ named }

func (p polite) Greet() string { return "good day from " + p.Name() }

func names(c *Container) string {
	var all []string
	for _, p := range c.GetAll() {
		all = append(all, p.Name())
	}
	return strings.Join(all, " ")
}

func list(s string) (plugins []Plugin) {
	for _, name := range strings.Fields(s) {
		plugins = append(plugins, named(name))
	}
	return plugins
}

func TestOrder(t *testing.T) {
	peer := NewContainer(nil)
	peer.AppendRight(list("r1 r2")...)
	peer.AppendLeft(list("l3 l4")...)
	group, err := peer.With(list("g1 g2")...)
	if err != nil {
		t.Fatal(err)
	}
	route, err := group.With(list("o1 o2")...)
	if err != nil {
		t.Fatal(err)
	}
	other, err := group.With(list("o1")...) // of another route, where the name is free
	if err != nil {
		t.Fatal(err)
	}
	peer.AppendLeft(list("l1 l2")...) // added afterwards, and yet it runs there, too
	peer.AppendRight(list("r3")...)
	route.AppendRight(list("r4")...) // it goes to the peer, whichever of its containers it is added to
	for c, want := range map[*Container]string{
		peer:  "l1 l2 l3 l4 r1 r2 r3 r4",
		group: "l1 l2 l3 l4 g1 g2 r1 r2 r3 r4",
		route: "l1 l2 l3 l4 g1 g2 o1 o2 r1 r2 r3 r4",
		other: "l1 l2 l3 l4 g1 g2 o1 r1 r2 r3 r4",
	} {
		if got := names(c); got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	}
	if p := route.GetByName("o2"); p != named("o2") {
		t.Errorf("o2 is %v", p)
	}
	if p := peer.GetByName("o2"); p != nil {
		t.Errorf("the peer has the plugin of a route: %v", p)
	}
}

func TestGetAllIsACopy(t *testing.T) {
	c := NewContainer(nil)
	c.AppendLeft(list("a b")...)
	slices.Reverse(c.GetAll())
	if got := names(c); got != "a b" {
		t.Errorf("order %s after a caller changed what it got", got)
	}
	own := list("x y")
	route, err := c.With(own...)
	if err != nil {
		t.Fatal(err)
	}
	own[0] = named("z")
	if got := names(route); got != "a b x y" {
		t.Errorf("order %s after the caller changed what it gave", got)
	}
}

func TestRemove(t *testing.T) {
	c := NewContainer(nil)
	c.AppendLeft(list("a b")...)
	c.AppendRight(list("c")...)
	route, err := c.With(named("own"))
	if err != nil {
		t.Fatal(err)
	}
	before := c.GetAll()
	for _, name := range []string{"a", "c"} {
		if err := c.Remove(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a", "none", "own"} {
		if err := c.Remove(name); err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("removing %s: %v", name, err)
		}
	}
	if names(c) != "b" || names(route) != "b own" || len(before) != 3 || before[0] != named("a") {
		t.Errorf("left are %s, and %s for the route; the list taken before has %v", names(c), names(route), before)
	}
	c.AppendRight(named("a")) // its name is free again
	if got := names(c); got != "b a" {
		t.Errorf("order %s", got)
	}
}

func TestMistakesPanicAndChangeNothing(t *testing.T) {
	useless := errors.New("it implements no hook")
	c := NewContainer(func(p Plugin) error {
		if p.Name() == "useless" {
			return fmt.Errorf("plugin %q: %w", p.Name(), useless)
		}
		return nil
	})
	c.AppendLeft(list("a b")...)
	route, err := c.With(named("own"))
	if err != nil {
		t.Fatal(err)
	}
	watched := 0
	c.Watch(func() { watched++ })
	for _, m := range []struct {
		c       *Container
		plugins []Plugin
		text    string
	}{
		{c, []Plugin{named("x"), nil}, "nil plugin"},
		{c, list("x b"), `"b" is given twice`},
		{c, list("x x"), `"x" is given twice`},
		{c, list("x useless"), "implements no hook"},
		{route, list("x own"), `"own" is given twice`},
	} {
		for side, add := range map[string]func(...Plugin){"left": m.c.AppendLeft, "right": m.c.AppendRight} {
			func() {
				defer func() {
					if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), m.text) {
						t.Errorf("%v, %s: panic %v, want one about %q", m.plugins, side, p, m.text)
					}
				}()
				add(m.plugins...)
			}()
		}
	}
	for _, plugins := range [][]Plugin{{nil}, list("a"), list("x x")} {
		if _, err := c.With(plugins...); err == nil {
			t.Errorf("%v for a route: no error", plugins)
		}
	}
	if names(c) != "a b" || watched != 1 {
		t.Errorf("afterwards there are %s, and the watcher was called %d times", names(c), watched)
	}
}

func TestWatch(t *testing.T) {
	c := NewContainer(nil)
	route, err := c.With(named("own"))
	if err != nil {
		t.Fatal(err)
	}
	var peer, routes []string
	c.Watch(func() { peer = append(peer, names(c)) })
	route.Watch(func() { routes = append(routes, names(route)) })
	c.AppendLeft(named("a"))
	c.AppendRight(named("b"))
	if err := c.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove("none"); err == nil {
		t.Error("removed a plugin that is not there")
	}
	if got, want := strings.Join(peer, "|"), "|a|a b|b"; got != want {
		t.Errorf("the watcher of the peer saw %s, want %s", got, want)
	}
	if got, want := strings.Join(routes, "|"), "own|a own|a own b|own b"; got != want {
		t.Errorf("the watcher of a route saw %s, want %s", got, want)
	}
}

// Of two goroutines that add a plugin of one name, one succeeds; plugins that
// others add at the same time are not lost.
func TestConcurrentChanges(t *testing.T) {
	c := NewContainer(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	twice := 0
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				c.AppendLeft(named(fmt.Sprint(i, "-", j)))
				c.GetAll()
				c.GetByName("x")
				func() {
					defer func() {
						if recover() != nil {
							mu.Lock()
							twice++
							mu.Unlock()
						}
					}()
					c.AppendRight(named(fmt.Sprint("shared-", j)))
				}()
			}
		})
	}
	wg.Wait()
	if err := check(c.GetAll()); err != nil {
		t.Error(err)
	}
	if n := len(c.GetAll()); n != 8*50+50 || twice != 7*50 {
		t.Errorf("%d plugins, %d refused; want 450 and 350", n, twice)
	}
}

func TestOfPicksImplementersInOrder(t *testing.T) {
	hooks := Of[greeter]([]Plugin{named("a"), polite{"b"}, named("c"), polite{"d"}})
	if len(hooks) != 2 || hooks[0].Greet() != "good day from b" || hooks[1].Greet() != "good day from d" {
		t.Errorf("hooks %v", hooks)
	}
	if hooks := Of[greeter](list("a b")); hooks != nil {
		t.Errorf("plugins without hooks give %v", hooks)
	}
}
