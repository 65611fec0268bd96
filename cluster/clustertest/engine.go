package clustertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// An engine works from Start to Close, and calls no event afterwards.
func testLife(s *suite) {
	s.must("Close before Start", s.medium.Engine().Close())
	other := s.start()
	n := &node{s, s.medium.Engine(), newRecorder(s.T)}
	n.down("before Start")
	s.must("Start", n.Start(s.Context(), n.recorder))
	if err := n.Start(s.Context(), n.recorder); err == nil {
		s.Error("it starts twice")
	}
	if n.MaxPayload() < 64<<10 {
		s.Errorf("MaxPayload is %d, want at least 64 KiB", n.MaxPayload())
	}
	n.subscribe("life", other)
	s.must("Close", n.Close())
	n.close()
	for range 10 {
		s.must("Publish", other.Publish("life", 0, []byte("too late")))
	}
	s.must("Close again", n.Close())
	n.down("after Close")
	if err := n.Start(s.Context(), n.recorder); err == nil {
		s.Error("it starts after Close")
	}
}

// Exactly the subscribers receive a message, including the publisher if it
// subscribes.
func testDelivery(s *suite) {
	a, b, c := s.start(), s.start(), s.start()
	for _, n := range []*node{a, b} {
		n.subscribe("room", a, b, c)
	}
	c.subscribe("room.more", a)
	for i, n := range []*node{a, b, c} {
		s.must("Publish", n.Publish("room", 0, fmt.Append(nil, i)))
		want := make([]string, i+1)
		for k := range want {
			want[k] = fmt.Sprint(k)
		}
		a.wants("room", want...) // wait for each: there is no order between publishers
		b.wants("room", want...)
	}
	s.must("Publish", a.Publish("room.more", 0, []byte("more")))
	c.wants("room.more", "more")
	if got := c.texts("room"); len(got) > 0 {
		s.Errorf("%q came to a node that did not subscribe", got)
	}
}

// A second subscription has no effect, and after Unsubscribe nothing arrives.
func testSubscriptions(s *suite) {
	a, b := s.start(), s.start()
	names := []string{"a", "A", "a.b", "a-b_c.D9", strings.Repeat("long.", 60) + "name"}
	for _, name := range names {
		b.subscribe(name, a)
		s.must("Subscribe again", b.Subscribe(s.Context(), name))
	}
	for _, name := range names {
		s.must("Publish", a.Publish(name, 0, []byte(name)))
		b.wants(name, name)
	}
	s.must("Unsubscribe", b.Unsubscribe("a"))
	s.must("Unsubscribe", b.Unsubscribe("a"))
	s.must("Unsubscribe what is not subscribed to", b.Unsubscribe("unknown"))
	s.eventually("nobody subscribes any more", func() bool {
		s.must("Publish", a.Publish("a", 1, []byte("perhaps")))
		return len(a.tokens()) > 0
	})
	s.must("Publish", a.Publish("a", 0, []byte("gone")))
	s.must("Publish", a.Publish("A", 0, []byte("last")))
	b.wants("A", "A", "last")
	if got := b.texts("a"); slices.Contains(got, "gone") {
		s.Errorf("%q came after Unsubscribe", got)
	}
}

// The messages of one publisher to one subject keep their order, while others publish
// and subscribe.
func testOrder(s *suite) {
	const messages = 500
	a, b, c := s.start(), s.start(), s.start()
	c.subscribe("room", a, b)
	var wg sync.WaitGroup
	for name, n := range map[string]*node{"a": a, "b": b} {
		wg.Go(func() {
			for i := range messages {
				if err := n.Publish("room", 0, fmt.Appendf(nil, "%s %d", name, i)); err != nil {
					s.Errorf("Publish: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range 50 {
				subject := fmt.Sprint("other.", i)
				if err := n.Subscribe(s.Context(), subject); err != nil {
					s.Errorf("Subscribe: %v", err)
				}
				if err := n.Unsubscribe(subject); err != nil {
					s.Errorf("Unsubscribe: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.eventually("all messages", func() bool { return len(c.texts("room")) >= 2*messages })
	next := map[string]int{}
	for _, text := range c.texts("room") {
		var name string
		var i int
		if _, err := fmt.Sscan(text, &name, &i); err != nil || i != next[name] {
			s.Fatalf("got %q, want number %d of %s", text, next[name], name)
		}
		next[name]++
	}
}

// Two subjects have no common order. But a node that receives a message of a
// publisher knows that the publisher's earlier messages are on their way, even if
// the publisher's connection breaks now. What that node answers arrives by every
// subject that the publisher had subscribed to before.
func testOrderOfSubjects(s *suite) {
	const messages = 500
	a, b := s.start(), s.start()
	b.subscribe("room", a)
	b.subscribe("question", a)
	a.subscribe("echo", a)
	b.answers("question", func(subject string) {
		if err := b.Publish(subject, 0, []byte("answer")); err != nil {
			s.Errorf("Publish: %v", err)
		}
	})
	for i := range 50 {
		subject := fmt.Sprint("topic.", i)
		s.must("Subscribe", a.Subscribe(s.Context(), subject))
		s.must("Publish", a.Publish("question", 0, []byte(subject)))
		a.wants(subject, "answer")
	}
	var want []string
	for i := range messages {
		want = append(want, fmt.Sprint(i))
		s.must("Publish", a.Publish("room", 0, []byte(want[i])))
	}
	s.must("Publish", a.Publish("echo", 0, []byte("all is sent")))
	a.wants("echo", "all is sent")
	if s.medium.SetConnected != nil {
		s.medium.SetConnected(a.Engine, false)
	}
	b.wants("room", want...)
}

// Data of every size arrives unchanged.
func testPayloads(s *suite) {
	a, b := s.start(), s.start()
	b.subscribe("room", a)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	most := min(a.MaxPayload(), 1<<20)
	var want []string
	for _, data := range [][]byte{nil, {0}, every, bytes.Repeat([]byte("x"), 64<<10), bytes.Repeat([]byte("y"), most)} {
		s.must("Publish", a.Publish("room", 0, data))
		want = append(want, string(data))
	}
	b.wants("room", want...)
}

// Nobody is called with the token if the subject has no subscribers, and only
// then.
func testNobody(s *suite) {
	a, b := s.start(), s.start()
	b.subscribe("there", a)
	s.must("Publish", a.Publish("there", 1, []byte("hi")))
	s.must("Publish", a.Publish("nowhere", 0, nil))
	s.must("Publish", a.Publish("nowhere", 2, nil))
	s.must("Publish", a.Publish("nowhere", 1<<63, nil))
	b.wants("there", "hi")
	s.eventually("two tokens", func() bool { return len(a.tokens()) >= 2 })
	if got := a.tokens(); !slices.Equal(got, []uint64{2, 1 << 63}) {
		s.Errorf("nobody is there for %d, want 2 and 1<<63", got)
	}
	if got := b.tokens(); len(got) > 0 {
		s.Errorf("another node is told of %d", got)
	}
}

// An engine that is cut off reports it and returns ErrDown. When it is
// connected again, it reports that and still has its subscriptions; messages
// published meanwhile are lost.
func testCut(s *suite) {
	if s.medium.SetConnected == nil {
		s.Skip("the medium has no SetConnected")
	}
	a, b := s.start(), s.start()
	a.subscribe("room", b)
	b.subscribe("room", a)
	var atA, atB []string
	for i := 1; i <= 3; i++ {
		s.medium.SetConnected(a.Engine, false)
		s.eventually("a is told", func() bool { downs, _ := a.turns(); return downs == i })
		a.down("while it is cut off")
		s.must("Unsubscribe while it is cut off", a.Unsubscribe("unknown"))
		missed, again := fmt.Sprint("missed ", i), fmt.Sprint("again ", i)
		s.must("Publish", b.Publish("room", 0, []byte(missed)))
		atB = append(atB, missed)
		b.wants("room", atB...)
		s.medium.SetConnected(a.Engine, true)
		s.eventually("a is told", func() bool { _, ups := a.turns(); return ups == i })
		a.hears("room", b)
		b.hears("room", a)
		s.must("Publish", a.Publish("room", 0, []byte(again)))
		atA, atB = append(atA, again), append(atB, again)
		a.wants("room", atA...)
		b.wants("room", atB...)
	}
	if downs, ups := b.turns(); downs+ups > 0 {
		s.Errorf("another engine was told %d times that it is down, and %d times that it is up", downs, ups)
	}
}
