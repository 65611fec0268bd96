package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The walks are the intended paths through each machine: every move of its table
// is part of one, and no other move is allowed.
func TestMachinesMoveAsMeant(t *testing.T) {
	checkMoves(t, "reader", []readerState{readerBusy, readerWaiting, readerWoken},
		"busy waiting busy",       // a message comes
		"busy waiting woken busy", // the watchdog wakes it, and another goroutine waits
	)
	checkMoves(t, "local", []localState{localServing, localDraining, localHolding, localTold, localAcknowledged},
		"serving draining told acknowledged",
		"draining holding", // a call of a side that can't be told
	)
	checkMoves(t, "remote", []remoteState{remoteServing, remoteLeaving, remoteHalfClosed, remoteFinished},
		"serving leaving finished",
		"serving half-closed finished", // handlers were at work
	)
	checkMoves(t, "proof", []proofState{proofNone, proofOffering, proofOffered, proofGiven},
		"none offering offered given",
		"offering none",       // the call was not sent
		"none given",          // the other side calls
		"none offering given", // the hello is faster than the sending
	)
	checkMoves(t, "table of streams", []tableState{tableOpen, tableStopped, tableClosed},
		"open stopped closed", // the other side shuts down
		"open closed",
	)
	checkMoves(t, "opening", []openingState{openingUnsent, openingSent, openingEnded},
		"unsent sent",
		"unsent ended",
	)
	checkMoves(t, "async", []asyncState{asyncSending, asyncInFlight, asyncEnded},
		"sending in-flight ended",
		"sending ended",               // it is not sent at all
		"in-flight sending in-flight", // not executed, and sent again
	)
}

func checkMoves[S state[S]](t *testing.T, name string, all []S, walks ...string) {
	t.Helper()
	named := map[string]S{}
	for _, s := range all {
		named[strings.ReplaceAll(s.String(), " ", "-")] = s
	}
	if len(named) != len(all) {
		t.Errorf("%s: two states have one name: %v", name, all)
	}
	want := map[[2]S]bool{}
	for _, walk := range walks {
		steps := strings.Fields(walk)
		for i := range len(steps) - 1 {
			from, ok := named[steps[i]]
			to, ok2 := named[steps[i+1]]
			if !ok || !ok2 {
				t.Fatalf("%s: no state %s or %s", name, steps[i], steps[i+1])
			}
			want[[2]S{from, to}] = true
		}
	}
	for _, from := range all {
		for _, to := range all {
			if got := slices.Contains(from.next(), to); got != want[[2]S{from, to}] {
				t.Errorf("%s: %v to %v: allowed is %v", name, from, to, got)
			}
		}
	}
}

func TestMachineRefusesOtherMoves(t *testing.T) {
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "from serving to acknowledged") {
			t.Errorf("panic: %s", p)
		}
	}()
	var m machine[localState]
	m.move(localServing, localAcknowledged)
}
