package session

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A talker is a connection whose other side sends something after every pause,
// times times, and then ends.
type talker struct {
	pause    time.Duration
	times    int
	deadline time.Time
}

func (k *talker) Read(p []byte) (int, error) {
	if k.times == 0 || time.Until(k.deadline) < k.pause {
		time.Sleep(time.Until(k.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	k.times--
	time.Sleep(k.pause)
	return len(p), nil
}

func (k *talker) SetReadDeadline(t time.Time) error {
	k.deadline = t
	return nil
}

// TestLinger: a connection that is about to be closed is read until its other side
// has been silent for a while, but no longer than maxLinger.
func TestLinger(t *testing.T) {
	for _, c := range []struct {
		name string
		talker
		want time.Duration
	}{
		{"silent", talker{}, lingerIdle},
		{"a few words", talker{pause: lingerIdle / 2, times: 3}, 3*lingerIdle/2 + lingerIdle},
		{"endless words", talker{pause: lingerIdle / 2, times: 1 << 30}, maxLinger},
		{"too slow", talker{pause: lingerIdle + 1, times: 5}, lingerIdle},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			linger(&c.talker, c.talker.SetReadDeadline)
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: it took %v, want %v", c.name, took, c.want)
			}
		})
	}
}
