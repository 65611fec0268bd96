package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The nodes of a test also run this program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "node" {
		main()
		return
	}
	os.Exit(m.Run())
}

// full skips slow tests unless make test-cluster runs them.
func full(t *testing.T) {
	t.Helper()
	if os.Getenv("ERPC_CLUSTER") != "full" {
		t.Skip("it starts processes; make test-cluster runs it")
	}
}

func TestStoryWithServerInEachNode(t *testing.T) {
	full(t)
	story(t)
}

func TestStoryWithServerElsewhere(t *testing.T) {
	full(t)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server is not ready")
	}
	story(t, "-nats", s.ClientURL())
}

func story(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), append(args, "-words", "60"), &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "heard 60 of 60"); n != nodes*clientsOfNode {
		t.Errorf("%d clients received everything", n)
	}
	if n := strings.Count(out.String(), "came back at"); n != clientsOfNode {
		t.Errorf("%d clients came back elsewhere", n)
	}
}

func TestMistakesAreErrors(t *testing.T) {
	for _, args := range [][]string{{"-x"}, {"node", "-x"}, {"node", "-listen", "127.0.0.1:0", "-mesh", "nowhere", "-dir", t.TempDir(), "-name", "a"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q runs", args)
		}
	}
}
