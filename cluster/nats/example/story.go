package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a running node.
type process struct {
	name    string
	address string
	cmd     *exec.Cmd
}

const (
	nodes         = 3
	clientsOfNode = 2
	pause         = 10 * time.Millisecond // between two words
)

// tell starts the cluster, lets the clients talk, kills a node, and checks what
// every client has received.
func tell(ctx context.Context, out io.Writer, url string, words int) error {
	running, err := startNodes(ctx, out, url)
	defer stopNodes(running)
	if err != nil {
		return err
	}
	clients, leave, err := startClients(ctx, running)
	defer leave()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d clients are in both rooms\n", len(clients))
	speaker := clients[len(clients)-1]
	for _, c := range clients {
		if c.place() != running[0].address { // that node dies
			speaker = c
		}
	}
	orphans := map[*client]bool{} // clients of the node that dies
	for i := 1; i <= words; i++ {
		if i == words/3 {
			for _, c := range clients {
				orphans[c] = c.place() == running[0].address
			}
			fmt.Fprintf(out, "%s is killed\n", running[0].name)
			if err := running[0].cmd.Process.Kill(); err != nil {
				return fmt.Errorf("kill %s: %w", running[0].name, err)
			}
		}
		time.Sleep(pause)
		for _, room := range []string{keptRoom, freeRoom} {
			if err := speaker.say(ctx, Word{room, i}); err != nil {
				return fmt.Errorf("word %d in %s: %w", i, room, err)
			}
		}
	}
	return look(ctx, out, clients, orphans, running[0].address, words)
}

// look waits until all clients have received every word of the room with
// history, and prints the result.
func look(ctx context.Context, out io.Writer, clients []*client, orphans map[*client]bool, killed string, words int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var problems []error
	for _, c := range clients {
		moved := orphans[c]
		knows := func() bool { return c.told(freeRoom) || !moved && c.has(freeRoom, words) == words }
		for ctx.Err() == nil && (c.has(keptRoom, words) < words || !knows()) {
			time.Sleep(20 * time.Millisecond)
		}
		kept, free := c.has(keptRoom, words), c.has(freeRoom, words)
		c.mu.Lock()
		where, afresh := "stayed at its node", "was told of no loss"
		if c.homes > 1 {
			where = "came back at " + c.at
		}
		if n := c.afresh[freeRoom]; n > 0 {
			afresh = "was told of the loss"
		}
		if c.afresh[keptRoom] > 0 {
			problems = append(problems, fmt.Errorf("%s was told to start afresh in the room that keeps", c.name))
		}
		if moved && (c.homes < 2 || c.at == killed) {
			problems = append(problems, fmt.Errorf("%s did not come back elsewhere", c.name))
		}
		c.mu.Unlock()
		fmt.Fprintf(out, "%s %s: heard %d of %d in the room that keeps, %d in the other, and %s\n", c.name, where, kept, words, free, afresh)
		if kept < words {
			problems = append(problems, fmt.Errorf("%s misses %d words of the room that keeps", c.name, words-kept))
		}
		if !knows() {
			problems = append(problems, fmt.Errorf("%s was not told that it may have missed something", c.name))
		}
	}
	return errors.Join(problems...)
}

// place returns the address of the node at which the client is.
func (c *client) place() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// told reports whether the client was told to reload a room.
func (c *client) told(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.afresh[room] > 0
}

// startClients starts clients at each node.
func startClients(ctx context.Context, running []*process) (clients []*client, leave func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	leave = func() {
		cancel()
		for _, c := range clients {
			c.rooms.Close()
			_ = c.peer.Close() // an error does not matter
		}
		wg.Wait()
	}
	var addresses []string
	for _, p := range running {
		addresses = append(addresses, p.address)
	}
	for i, p := range running {
		for k := range clientsOfNode {
			c := newClient(fmt.Sprintf("client %d of %s", k+1, p.name), slices.Concat(addresses[i:], addresses[:i]))
			clients = append(clients, c)
			wg.Go(func() { c.live(ctx) })
		}
	}
	for _, c := range clients {
		for c.session() == nil {
			if ctx.Err() != nil {
				return clients, leave, ctx.Err()
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := c.join(ctx); err != nil {
			return clients, leave, err
		}
	}
	return clients, leave, nil
}

// startNodes starts the nodes as processes, and waits until all of them serve.
func startNodes(ctx context.Context, out io.Writer, url string) (running []*process, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "erpc-cluster-")
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = os.RemoveAll(dir) }) // the directory is not needed any more
	ports, err := freeAddresses(2 * nodes)
	if err != nil {
		return nil, err
	}
	listen, mesh := ports[:nodes], ports[nodes:]
	starting := make(chan error, nodes)
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i+1)
		cmd := exec.CommandContext(ctx, program, "node", "-name", name, "-listen", listen[i], "-mesh", mesh[i],
			"-routes", strings.Join(slices.Concat(mesh[:i], mesh[i+1:]), ","), "-dir", dir, "-nats", url)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return running, fmt.Errorf("start %s: %w", name, err)
		}
		running = append(running, &process{name, listen[i], cmd})
		go func() {
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if strings.TrimSpace(line) != ready {
				err = fmt.Errorf("%s does not serve: %w", name, err)
			}
			starting <- err
		}()
	}
	for range nodes {
		if err := <-starting; err != nil {
			return running, err
		}
	}
	for _, p := range running {
		fmt.Fprintf(out, "%s serves at %s\n", p.name, p.address)
	}
	return running, nil
}

// stopNodes ends the nodes, and kills those that take too long.
func stopNodes(running []*process) {
	for _, p := range running {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // the process may be dead
	}
	for _, p := range running {
		timer := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait() // an error is expected: one was killed
		timer.Stop()
	}
}

// freeAddresses returns free addresses of this machine.
func freeAddresses(n int) (all []string, err error) {
	for range 100 * n {
		if len(all) == n {
			return all, nil
		}
		// Use ports below those that the system gives to outgoing connections.
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 15_000+rand.IntN(15_000)))
		if err != nil {
			continue // the port is in use
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return nil, errors.New("no port is free")
}
