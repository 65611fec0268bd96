package eventloop

import (
	"math"
	"net"
	"testing"
	"time"
)

// Every kind of deadline is kept on the monotonic clock.
func TestSinceStart(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Time
		want int64
	}{
		{"none", time.Time{}, 0},
		{"start itself is a deadline, not none", start, -1},
		{"long past, as used to end what waits", time.Unix(1, 0), -1},
		{"before all clocks", time.Unix(-1<<40, 0), -1},
		{"a second after start", start.Add(time.Second), int64(time.Second)},
		{"further than a duration reaches", start.AddDate(1000, 0, 0), math.MaxInt64},
	} {
		if got := sinceStart(c.at); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A waiting connection is woken when its deadline passes, and not earlier.
func TestDeadlineWakes(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	dialed, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := new(Transport).wrap(dialed)
	if err != nil {
		t.Fatal(err)
	}
	defer wrapped.Close()
	c := wrapped.(*conn)
	woken := make(chan time.Time, 1)
	if !c.OnReadable(func() { woken <- time.Now() }) {
		t.Fatal("the loop does not take the connection")
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(20 * time.Millisecond)
	if err := c.SetReadDeadline(at); err != nil {
		t.Fatal(err)
	}
	select {
	case now := <-woken:
		if now.Before(at) {
			t.Errorf("woken %v too early", at.Sub(now))
		}
	case <-time.After(10 * time.Second):
		t.Error("the deadline passed and the connection was not woken")
	}
}
