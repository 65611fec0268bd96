package main

import (
	"strings"
	"testing"
	"time"
)

// Each peer does each test, and counts what arrived.
func TestPeers(t *testing.T) {
	for _, p := range peers {
		for _, test := range tests {
			if p.only != "" && p.only != test.name {
				continue
			}
			t.Run(p.name+"/"+test.name, func(t *testing.T) {
				s, err := measure(p, test, 50*time.Millisecond)
				if err != nil || s.perSecond <= 0 || s.cpu <= 0 {
					t.Errorf("%+v, %v", s, err)
				}
			})
		}
	}
}

func TestPage(t *testing.T) {
	samples := map[key][]sample{
		{ioCopy, oneWayLarge}:     {{1000, 10}, {500, 20}, {100, 10}}, // the machine was busy in the second and third round
		{erpcBytes, oneWayLarge}:  {{800, 20}, {400, 40}, {90, 20}},
		{erpcBytes, pingPong}:     {{5, 1}},
		{"connect-go", pingPong}:  {{0, 0}},
		{"grpc-go", oneWaySmall}:  {{5, 1}},
		{"grpc-go", oneWayLarge}:  {{200, 80}, {100, 80}, {100, 80}},
		{"connect-go", "nothing"}: {{5, 1}},
	}
	page := write(samples, "make something", 3, time.Second)
	for _, want := range []string{
		"Written by `make something`",
		"| io.Copy | 500 | 10.0 | – | – | – | – |",
		"| erpc | 400 | 20.0 | – | – | 5 | 1.0 |",
		"| 64 KiB one way, to io.Copy | 0.80 | 0.50 |",
		"| 64 KiB one way, to grpc-go | 4.00 | 4.00 |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
}

func TestChosenPeers(t *testing.T) {
	if got := chosen("drpc,erpc"); len(got) != 2 || got[0].name != "erpc" || got[1].name != "drpc" {
		t.Errorf("%+v", got)
	}
	if got := chosen(""); len(got) != len(peers) {
		t.Errorf("%d peers", len(got))
	}
}
