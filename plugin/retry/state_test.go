package retry

import "testing"

// A breaker makes exactly the transitions that its table allows, each for its
// reason.
func TestTransitions(t *testing.T) {
	reasons := map[[2]State]string{
		{Closed, Open}:       "calls fail",
		{Open, HalfOpen}:     "the cooldown is over",
		{HalfOpen, Closed}:   "enough probes succeed",
		{HalfOpen, Open}:     "a probe fails",
		{HalfOpen, HalfOpen}: "probes have not ended in time",
	}
	for from := range State(len(transitions)) {
		for to := range State(len(transitions)) {
			if _, want := reasons[[2]State{from, to}]; from.mayBecome(to) != want {
				t.Errorf("%v to %v: allowed is %t", from, to, !want)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a closed breaker became half-open")
		}
	}()
	b := NewBreaker(BreakerConfig{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enterLocked(HalfOpen, 0)
}
