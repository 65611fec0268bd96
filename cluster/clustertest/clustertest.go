// Package clustertest checks that an engine implements the contracts of
// [cluster.Engine] and [cluster.Log]. To check an engine, call [Run] from a
// test of its package.
package clustertest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/wait"
)

// A Medium is what connects the engines of one test, such as a server.
type Medium struct {
	// Engine returns the engine of one more node, not started. Run closes it.
	Engine func() cluster.Engine
	// SetConnected disconnects an engine from the medium, and connects it again.
	// If it is nil, those tests are skipped.
	SetConnected func(e cluster.Engine, on bool)
}

// limit bounds every wait.
const limit = time.Minute

// Run runs every test, each with its own medium. If the engines implement
// [cluster.Log], it tests that as well.
func Run(t *testing.T, medium func(t *testing.T) Medium) {
	tests := []struct {
		name string
		run  func(*suite)
	}{
		{"Life", testLife},
		{"Delivery", testDelivery},
		{"Subscriptions", testSubscriptions},
		{"Order", testOrder},
		{"OrderOfSubjects", testOrderOfSubjects},
		{"Payloads", testPayloads},
		{"Nobody", testNobody},
		{"Cut", testCut},
		{"LogPositions", testLogPositions},
		{"LogReads", testLogReads},
		{"LogForgets", testLogForgets},
		{"LogConcurrently", testLogConcurrently},
		{"LogCut", testLogCut},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(&suite{T: t, medium: medium(t)}) })
	}
}

type suite struct {
	*testing.T
	medium Medium
}

// A node is an engine with a recorder of its events.
type node struct {
	*suite
	cluster.Engine
	*recorder
}

// start returns a node whose engine runs.
func (s *suite) start() *node {
	s.Helper()
	n := &node{s, s.medium.Engine(), newRecorder(s.T)}
	s.must("Start", n.Start(s.Context(), n.recorder))
	s.Cleanup(func() {
		if err := n.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return n
}

// startLog returns a node whose engine keeps messages, or skips the test.
func (s *suite) startLog(group string, size int) (*node, cluster.Log) {
	s.Helper()
	n := s.start()
	log, ok := n.Engine.(cluster.Log)
	if !ok {
		s.Skip("the engine is not a cluster.Log")
	}
	for range 2 { // nodes that start together all call Keep
		s.must("Keep", log.Keep(s.Context(), group, size, time.Hour))
	}
	return n, log
}

func (s *suite) must(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// subscribe subscribes, and waits until messages of the other nodes arrive.
func (n *node) subscribe(subject string, from ...*node) {
	n.Helper()
	n.must("Subscribe", n.Subscribe(n.Context(), subject))
	n.hears(subject, from...)
}

// hears waits until messages of the other nodes arrive.
func (n *node) hears(subject string, from ...*node) {
	n.Helper()
	for _, other := range from {
		text := probe + rand.Text()
		n.eventually("a message to "+subject, func() bool {
			n.must("Publish", other.Publish(subject, 0, []byte(text)))
			return n.probed(text)
		})
	}
}

// probe is the prefix of messages that tests ignore.
const probe = "probe "

// eventually waits until f returns true.
func (s *suite) eventually(what string, f func() bool) {
	s.Helper()
	wait.Until(s.T, limit, what, f)
}

// wants waits for exactly these messages of a subject.
func (n *node) wants(subject string, want ...string) {
	n.Helper()
	n.eventually(fmt.Sprintf("%d messages to %s", len(want), subject), func() bool { return len(n.texts(subject)) >= len(want) })
	if got := n.texts(subject); !slices.Equal(got, want) {
		n.Errorf("got %.200q of %s, want %.200q", got, subject, want)
	}
}

// down checks that a disconnected engine returns ErrDown.
func (n *node) down(when string) {
	n.Helper()
	if err := n.Publish("any", 0, nil); !errors.Is(err, cluster.ErrDown) {
		n.Errorf("Publish %s: %v, want ErrDown", when, err)
	}
	if err := n.Subscribe(n.Context(), "any"); !errors.Is(err, cluster.ErrDown) {
		n.Errorf("Subscribe %s: %v, want ErrDown", when, err)
	}
	log, ok := n.Engine.(cluster.Log)
	if !ok {
		return
	}
	const subject = "erpc.h.any"
	if err := log.Append(n.Context(), subject, nil); !errors.Is(err, cluster.ErrDown) {
		n.Errorf("Append %s: %v, want ErrDown", when, err)
	}
	if _, err := log.Read(n.Context(), subject, cluster.Position{}, 1); !errors.Is(err, cluster.ErrDown) {
		n.Errorf("Read %s: %v, want ErrDown", when, err)
	}
	if _, err := log.Top(n.Context(), subject); !errors.Is(err, cluster.ErrDown) {
		n.Errorf("Top %s: %v, want ErrDown", when, err)
	}
}

// A recorder records the events of an engine, and checks that those of one
// subject are not concurrent.
type recorder struct {
	t *testing.T

	mu     sync.Mutex // guards the following
	closed bool
	inside map[string]bool // subjects for which a method is running
	got    map[string][]string
	probes map[string]bool
	stored map[string][]stored
	nobody []uint64
	ups    int
	downs  int
	hear   map[string]func(text string) // called for messages of a subject
}

type stored struct {
	at   cluster.Position
	prev uint64
	text string
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, inside: map[string]bool{}, got: map[string][]string{}, probes: map[string]bool{}, stored: map[string][]stored{}, hear: map[string]func(string){}}
}

// answers registers f to be called for each message of a subject.
func (r *recorder) answers(subject string, f func(text string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hear[subject] = f
}

// enter records that a method for a subject begins, and returns a function to
// call at its end.
func (r *recorder) enter(subject string) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside[subject] {
		r.t.Errorf("two methods for %s at the same time", subject)
	}
	if r.closed {
		r.t.Error("a method is called after Close")
	}
	r.inside[subject] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inside[subject] = false
	}
}

// Message implements [cluster.Events].
func (r *recorder) Message(subject string, data []byte) {
	defer r.enter(subject)()
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes.HasPrefix(data, []byte(probe)) {
		r.probes[string(data)] = true
		return
	}
	r.got[subject] = append(r.got[subject], string(data))
	if f := r.hear[subject]; f != nil {
		f(string(data))
	}
}

// Stored implements [cluster.Events].
func (r *recorder) Stored(subject string, at cluster.Position, prev uint64, data []byte) {
	defer r.enter(subject)()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[subject] = append(r.stored[subject], stored{at, prev, string(data)})
}

// Nobody implements [cluster.Events].
func (r *recorder) Nobody(token uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nobody = append(r.nobody, token)
}

// Dropped implements [cluster.Events].
func (r *recorder) Dropped(subject string) { r.t.Logf("the engine dropped messages of %q", subject) }

// Down implements [cluster.Events].
func (r *recorder) Down(error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.downs++
}

// Up implements [cluster.Events].
func (r *recorder) Up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ups++
}

func (r *recorder) texts(subject string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got[subject])
}

func (r *recorder) probed(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.probes[text]
}

func (r *recorder) kept(subject string) []stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.stored[subject])
}

func (r *recorder) tokens() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.nobody)
}

func (r *recorder) turns() (downs, ups int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.downs, r.ups
}

func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}
