package cluster

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Every state in a cluster's life can be reached, and only by the transitions of
// the table.
func TestLifeFollowsItsTable(t *testing.T) {
	all := []lifeState{lifeNew, lifeStarting, lifeRunning, lifeClosed}
	for _, from := range all {
		for _, to := range []lifeState{lifeStarting, lifeRunning} {
			var l lifetime
			l.state.Store(int32(from))
			before := to - 1
			err := l.move(before, to)
			if want := slices.Contains(lifeMoves[from], to); (err == nil) != want {
				t.Errorf("%v to %v: %v, want a move: %v", from, to, err, want)
			}
		}
		var l lifetime
		l.state.Store(int32(from))
		if ended, want := l.end(), slices.Contains(lifeMoves[from], lifeClosed); ended != want || l.is() != lifeClosed {
			t.Errorf("end of %v: %v, state %v", from, ended, l.is())
		}
	}
}

// A topic that has ended stays ended: join makes another.
func TestTopicFollowsItsTable(t *testing.T) {
	all := []topicState{topicNew, topicSubscribed, topicEnded}
	for _, from := range all {
		for _, to := range all {
			x := topic{state: from}
			want := to > from
			if moved := x.moveLocked(to); moved != want || moved && x.state != to || !moved && x.state != from {
				t.Errorf("%v to %v: moved %v, now %v", from, to, moved, x.state)
			}
		}
	}
}

func TestStartAndCloseOutOfTurn(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		c := New(w.Engine(), quick)
		if err := c.Start(t.Context()); err == nil {
			t.Error("started without a peer")
		}
		p := w.newPeer(t, erpc.PeerConfig{}, c)
		if err := c.Publish(t.Context(), "room", "/said", "hi"); err != ErrNotRunning {
			t.Errorf("publish before Start: %v", err)
		}
		check(t, c.Start(t.Context()))
		if err := c.Start(t.Context()); err == nil {
			t.Error("started twice")
		}
		check(t, c.Close())
		check(t, c.Close())
		if err := c.Start(t.Context()); err == nil {
			t.Error("started after Close")
		}
		if err := c.Broadcast(t.Context(), "/said", "hi"); err != ErrNotRunning {
			t.Errorf("broadcast after Close: %v", err)
		}
		check(t, New(w.Engine(), quick).Close())
		if err := c.PostNewPeer(p); err == nil {
			t.Error("a plugin of two peers")
		}
	})
}

func TestPrefixMustFitSubjects(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the prefix a.* was accepted")
		}
	}()
	New(NewMemory().Engine(), Options{Prefix: "a.*"})
}

var full = envelope{
	kind: kindReply, codec: 'j', code: -1, id: 300, count: 7, node: "n", session: "s", except: "x/y",
	method: "/m", text: "t", meta: "k=v", body: []byte("body"),
}

// The bytes of an envelope do not change, because nodes of two versions talk to
// each other during an update.
func TestEnvelopeGolden(t *testing.T) {
	const golden = "01056a01ac0207016e017303782f79022f6d0174036b3d76626f6479"
	if got := hex.EncodeToString(full.encode()); got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
	back, err := decode(full.encode())
	if err != nil || !reflect.DeepEqual(*back, full) {
		t.Errorf("%+v, %v, want %+v", back, err, full)
	}
	if n := len(full.encode()); n > full.size() {
		t.Errorf("%d bytes, but size says %d", n, full.size())
	}
}

func TestEnvelopeCutShortIsRefused(t *testing.T) {
	b := full.encode()
	for n := range len(b) - len(full.body) {
		if _, err := decode(b[:n]); err == nil {
			t.Errorf("%d of %d bytes are an envelope", n, len(b))
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(full.encode())
	f.Add([]byte{1, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(e.encode())
		if err != nil || !bytes.Equal(again.encode(), e.encode()) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}

// Different names make different subjects, whatever characters they have.
func TestNamesAreEscaped(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"", "a", "A", "a.b", "*", ">", "$JS.API", "a b", "ü", "\x00", "b", "h", strings.Repeat("x", maxName), strings.Repeat("x", maxName+1), strings.Repeat("y", 1<<20)} {
		s := escape(name)
		if other, has := seen[s]; has {
			t.Errorf("%.20q and %.20q are %s", name, other, s)
		}
		seen[s] = name
		if !prefixForm.MatchString(s) || len(s) > 300 {
			t.Errorf("%.20q is %q", name, s)
		}
	}
}

func TestEveryKindHasName(t *testing.T) {
	seen := map[string]bool{}
	for k := kindPush; k < kindMax; k++ {
		if s := k.String(); seen[s] || strings.HasPrefix(s, "kind") {
			t.Errorf("%d is %q", byte(k), s)
		}
		seen[k.String()] = true
	}
}
