//go:build unix

package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The other side of unixpacket may be a program that knows packets only.
func TestUnixPacketAgainstPlainProgram(t *testing.T) {
	path := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unixpacket", path, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	other, err := net.Dial("unixpacket", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	// Its packets are read in pieces, with empty reads in between.
	var want, got []byte
	for i, n := range []int{1, 100, 65536, 200_000, 3} {
		p := bytes.Repeat([]byte{byte('a' + i)}, n)
		sent := make(chan error, 1)
		go func() { _, err := other.Write(p); sent <- err }()
		want = append(want, p...)
		for len(got) < len(want) {
			buf := make([]byte, min(7919, len(want)-len(got)))
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Fatalf("empty read: %d, %v", n, err)
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("its packets were read as other bytes")
	}

	// Our packets are never larger than maxPacket.
	data := bytes.Repeat([]byte("0123456789"), 20_000)
	sent := make(chan error, 1)
	go func() { _, err := c.Write(data); sent <- err }()
	got = nil
	for buf := make([]byte, 1<<20); len(got) < len(data); {
		n, err := other.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > maxPacket {
			t.Fatalf("a packet of %d bytes", n)
		}
		got = append(got, buf[:n]...)
	}
	if err := <-sent; err != nil || !bytes.Equal(got, data) {
		t.Errorf("error %v; bytes equal: %v", err, bytes.Equal(got, data))
	}

	_ = other.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at its end: %d, %v", n, err)
	}
}

func TestUnixPacketWithSmallBuffer(t *testing.T) {
	path := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unixpacket", path, &Options{WriteBuffer: 1, ReadBuffer: 1}) // the kernel's least
	if err != nil {
		t.Fatal(err)
	}
	echo(t, lis)
	c, err := Stream{}.Dial(soon(t), "unixpacket", path, &Options{WriteBuffer: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchange(t, c, bytes.Repeat([]byte("packet"), 30_000))
}

func TestStaleSocketFile(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			path := socketPath(t)
			dead, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
			if err != nil {
				t.Fatal(err)
			}
			dead.SetUnlinkOnClose(false) // as if the process had been killed
			_ = dead.Close()
			if _, err := os.Lstat(path); err != nil {
				t.Fatal(err)
			}
			lis, err := Stream{}.Listen(soon(t), network, path, &Options{})
			if err != nil {
				t.Fatalf("over a stale file: %v", err)
			}
			defer lis.Close()
			if l, err := (Stream{}).Listen(soon(t), network, path, &Options{}); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("over a live one: %v, %v", l, err)
			}
			c, err := Stream{}.Dial(soon(t), network, path, &Options{})
			if err != nil {
				t.Fatalf("the live one is gone: %v", err)
			}
			_ = c.Close()
		})
	}
}

func TestListenSparesOtherFiles(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := (Stream{}).Listen(soon(t), "unix", path, &Options{}); !errors.Is(err, os.ErrExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("over a file: %v, %v", l, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
	live := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unix", live, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if l, err := (Stream{}).Listen(soon(t), "unixpacket", live, &Options{}); err == nil {
		_ = l.Close()
		t.Error("listened over a live socket of another type")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := (Stream{}).Listen(canceled, "unix", live, &Options{}); err == nil {
		_ = l.Close()
		t.Error("took a live socket for stale because there was no time to look")
	}
}

// TestRemoveSparesWhatWasMadeMeanwhile: between the look at a stale file and its removal
// another process may have made its own, whose clients would find nothing.
func TestRemoveSparesWhatWasMadeMeanwhile(t *testing.T) {
	path := socketPath(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as if the process had been killed
	_ = stale.Close()
	seen, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil { // its inode is not used again
		t.Fatal(err)
	}
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if err := removeSame("unix", path, seen); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the file of another was taken for the stale one: %v", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the other listens at no path: %v", err)
	}
	_ = c.Close()
	if err := removeSame("unix", path+".old", seen); err != nil {
		t.Errorf("the stale file: %v", err)
	}
	if _, err := os.Lstat(path + ".old"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stale file is there: %v", err)
	}
}
