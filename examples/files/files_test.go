package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// patience bounds each wait of the tests.
const patience = 30 * time.Second

// A rig is a server with a directory and a client with another.
type rig struct {
	srv             erpc.Peer
	store           *store
	client          client
	served, fetched string // directories
}

func newRig(t *testing.T, maxSize int64) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	r := &rig{served: t.TempDir(), fetched: t.TempDir()}
	var err error
	r.store, err = openStore(r.served, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	r.srv = erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	register(r.srv, r.store)
	lis, err := r.srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	go r.srv.Serve(lis) // it ends with the peer
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet, RedialTimes: -1, RedialInterval: 10 * time.Millisecond})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	r.client.sess = sess
	t.Cleanup(func() { _, _, _ = cli.Close(), r.srv.Close(), r.store.close() })
	return r
}

// cut breaks the connections of the server once the transfer has reached n bytes.
// It reports whether that happened, and the lowest progress after it.
func (r *rig) cut(n int64) (done *bool, lowest *int64) {
	done, lowest = new(bool), new(int64)
	r.client.progress = func(at, total int64) {
		switch {
		case *done:
			*lowest = min(*lowest, at)
		case at >= n:
			*done, *lowest = true, total
			r.srv.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
		}
	}
	return done, lowest
}

func write(t *testing.T, dir, name string, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

func wantFile(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, want %d: %v", name, len(got), len(want), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if isPart(e.Name()) {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestThereAndBack(t *testing.T) {
	r := newRig(t, 1<<30)
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		data, name := random(size), "file"+strconv.Itoa(size)
		var at, of int64
		r.client.progress = func(done, total int64) {
			if done < at {
				t.Errorf("progress went from %d to %d", at, done)
			}
			at, of = done, total
		}
		if err := r.client.put(within(t), write(t, t.TempDir(), name, data)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, r.served, name, data)
		if at != int64(size) || of != int64(size) {
			t.Errorf("the progress of %d bytes ended at %d of %d", size, at, of)
		}
		at = 0
		if err := r.client.get(within(t), name, r.fetched); err != nil {
			t.Fatal(err)
		}
		wantFile(t, r.fetched, name, data)
		if at != int64(size) {
			t.Errorf("the progress of %d bytes ended at %d", size, at)
		}
	}
}

// A transfer whose connection is lost continues on the next one from where it was.
func TestGoesOnAfterALostConnection(t *testing.T) {
	data := random(16 << 20)
	for name, move := range map[string]func(r *rig, path string) error{
		"put": func(r *rig, path string) error { return r.client.put(within(t), path) },
		"get": func(r *rig, path string) error {
			write(t, r.served, "file", data)
			return r.client.get(within(t), "file", r.fetched)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1<<30)
			before := r.client.sess.LocalAddr().String()
			isCut, lowest := r.cut(8 << 20)
			if err := move(r, write(t, t.TempDir(), "file", data)); err != nil {
				t.Fatal(err)
			}
			wantFile(t, map[string]string{"put": r.served, "get": r.fetched}[name], "file", data)
			if !*isCut || r.client.sess.LocalAddr().String() == before {
				t.Error("the connection was not lost")
			}
			if *lowest <= 64<<10 {
				t.Errorf("it started over: after the first chunk that followed the loss it was at %d", *lowest)
			}
		})
	}
}

// The partial file of an earlier run of the program is used; a part with other
// content is noticed, and the next attempt starts over.
func TestPartsOfEarlierRuns(t *testing.T) {
	data := random(1 << 20)
	sum := sha256.Sum256(data)
	part := partName("file", hex.EncodeToString(sum[:]))
	spoiled := bytes.Clone(data[:1<<19])
	spoiled[7] ^= 1
	for name, move := range map[string]func(r *rig, left []byte) error{
		"put": func(r *rig, left []byte) error {
			write(t, r.served, part, left)
			return r.client.put(within(t), write(t, t.TempDir(), "file", data))
		},
		"get": func(r *rig, left []byte) error {
			write(t, r.served, "file", data)
			write(t, r.fetched, part, left)
			return r.client.get(within(t), "file", r.fetched)
		},
	} {
		dir := func(r *rig) string { return map[string]string{"put": r.served, "get": r.fetched}[name] }
		t.Run(name+" of the same", func(t *testing.T) {
			r := newRig(t, 1<<30)
			first := int64(-1)
			r.client.progress = func(at, _ int64) {
				if first < 0 {
					first = at
				}
			}
			if err := move(r, data[:1<<19]); err != nil {
				t.Fatal(err)
			}
			wantFile(t, dir(r), "file", data)
			if first <= 1<<19 {
				t.Errorf("after the first bytes it was at %d", first)
			}
		})
		t.Run(name+" of another", func(t *testing.T) {
			r := newRig(t, 1<<30)
			err := move(r, spoiled)
			if got := erpc.StatusFromError(err).Code(); got != codeChecksum {
				t.Fatalf("%v, want code %d", err, codeChecksum)
			}
			if name == "put" {
				err = r.client.put(within(t), write(t, t.TempDir(), "file", data))
			} else {
				err = r.client.get(within(t), "file", r.fetched)
			}
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, dir(r), "file", data)
		})
		t.Run(name+" that is too long", func(t *testing.T) {
			r := newRig(t, 1<<30)
			if err := move(r, append(bytes.Clone(data), 1)); err != nil {
				t.Fatal(err)
			}
			wantFile(t, dir(r), "file", data)
		})
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t, 1000)
	write(t, r.served, "there", []byte("x"))
	if err := os.Mkdir(filepath.Join(r.served, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	zero := sha256.Sum256(nil)
	empty := hex.EncodeToString(zero[:])
	stat := func(name string) error {
		_, err := erpc.Call[fileInfo](ctx, r.client.sess, "/files/stat", name)
		return err
	}
	put := func(u upload, offset int64, data string) error {
		return erpc.Upload(ctx, r.client.sess, "/files/put", strings.NewReader(data), settings(u, offset)...)
	}
	get := func(u upload, offset int64) error {
		rd, err := erpc.Download(ctx, r.client.sess, "/files/get", settings(u, offset)...)
		if err != nil {
			return err
		}
		defer rd.Close()
		_, err = io.Copy(io.Discard, rd)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		code int32
	}{
		"out of the directory":    {stat("../secret"), codeBadName},
		"absolute":                {stat("/etc/passwd"), codeBadName},
		"hidden":                  {stat(".profile"), codeBadName},
		"no name":                 {stat(""), codeBadName},
		"long name":               {stat(strings.Repeat("x", maxName+1)), codeBadName},
		"a directory":             {stat("dir"), codeBadName},
		"nothing there":           {stat("nothing"), erpc.CodeNotFound},
		"put out of it":           {put(upload{"../x", 0, empty}, 0, ""), codeBadName},
		"put without a sum":       {put(upload{"x", 0, ""}, 0, ""), codeBadName},
		"put of a short sum":      {put(upload{"x", 0, "00"}, 0, ""), codeBadName},
		"put of capital letters":  {put(upload{"x", 0, strings.ToUpper(empty)}, 0, ""), codeBadName},
		"put of too many bytes":   {put(upload{"x", 1001, empty}, 0, ""), codeTooLarge},
		"put at an offset":        {put(upload{"x", 2, empty}, 1, "x"), codeChanged},
		"put of less":             {put(upload{"x", 9, empty}, 0, "x"), codeChanged},
		"put of more":             {put(upload{"y", 1, empty}, 0, "xyz"), codeChanged},
		"put of another content":  {put(upload{"z", 1, empty}, 0, "x"), codeChecksum},
		"put of a negative size":  {put(upload{"x", -1, empty}, 0, ""), codeBadName},
		"get of a version before": {get(upload{"there", 1, empty}, 0), codeChanged},
		"get of nothing":          {get(upload{"nothing", 1, empty}, 0), erpc.CodeNotFound},
		"a client's own mistake":  {r.client.get(ctx, "../x", r.fetched), codeBadName},
	} {
		if got := erpc.StatusFromError(c.err).Code(); got != c.code {
			t.Errorf("%s: %v, want code %d", name, c.err, c.code)
		}
	}
}

// Two uploads never write the same partial file.
func TestOneUploadOfAFileAtATime(t *testing.T) {
	r := newRig(t, 1<<30)
	data := random(100)
	sum := sha256.Sum256(data)
	u := upload{"file", 100, hex.EncodeToString(sum[:])}
	pr, pw := io.Pipe()
	first := make(chan error, 1)
	go func() { first <- erpc.Upload(within(t), r.client.sess, "/files/put", pr, settings(u, 0)...) }()
	part := partName(u.Name, u.SHA256)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		r.store.mu.Lock()
		busy := r.store.busy[part]
		r.store.mu.Unlock()
		if busy {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the first upload did not begin")
		}
	}
	err := erpc.Upload(within(t), r.client.sess, "/files/put", bytes.NewReader(data), settings(u, 0)...)
	if got := erpc.StatusFromError(err).Code(); got != codeBusy {
		t.Errorf("%v, want code %d", err, codeBusy)
	}
	_, _ = pw.Write(data) // the upload reports it
	_ = pw.Close()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	wantFile(t, r.served, "file", data)
}

func TestOldPartsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	old, young := write(t, dir, ".a.0000.part", nil), write(t, dir, ".b.0000.part", nil)
	kept := write(t, dir, "c", nil)
	long := time.Now().Add(-2 * maxPartAge)
	for _, path := range []string{old, kept} {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openStore(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for path, want := range map[string]bool{old: false, young: true, kept: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
}

// Memory does not grow with the file: client and server together, in one process,
// stay below 32 MiB. ERPC_FILES_BYTES sets another size, for example 2147483648.
func TestMemoryOfALargeFile(t *testing.T) {
	const maxHeap = 32 << 20
	size := int64(64 << 20)
	if v := os.Getenv("ERPC_FILES_BYTES"); v != "" {
		var err error
		if size, err = strconv.ParseInt(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		size = 16 << 20
	}
	source := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	chunk := random(1 << 20)
	for n := int64(0); n < size; n += int64(len(chunk)) {
		chunk[n%int64(len(chunk))]++ // no two are the same
		if _, err := f.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, size)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	runtime.GC()
	peak, looked := uint64(0), int64(0)
	r.client.progress = func(done, _ int64) {
		if done-looked >= size/256 || done < looked {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak, looked = max(peak, m.HeapInuse), done
		}
	}
	began := time.Now()
	if err := r.client.put(ctx, source); err != nil {
		t.Fatal(err)
	}
	if err := r.client.get(ctx, "large", r.fetched); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB there and back in %v; the heap had %d MiB at most", size>>20, time.Since(began).Round(time.Millisecond), peak>>20)
	if peak > maxHeap {
		t.Errorf("the heap had %d MiB", peak>>20)
	}
	got, err := os.Stat(filepath.Join(r.fetched, "large"))
	if err != nil || got.Size() < size {
		t.Errorf("%v, %v", got, err)
	}
}

// The program, started as its users start it.
func TestProgram(t *testing.T) {
	t.Cleanup(func() { erpc.SetLoggerLevel("INFO") })
	served, fetched := t.TempDir(), t.TempDir()
	ctx, stop := context.WithCancel(within(t))
	defer stop()
	pr, pw := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve", "-addr", "127.0.0.1:0", "-dir", served}, pw) }()
	line := make([]byte, 200)
	n, err := pr.Read(line)
	addr, found := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "listening on ")
	if err != nil || !found {
		t.Fatalf("%q, %v", line[:n], err)
	}
	data := random(1 << 20)
	source := write(t, t.TempDir(), "backup.tar", data)
	var out bytes.Buffer
	if err := run(ctx, []string{"put", "-addr", addr, source}, &out); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, []string{"get", "-addr", addr, "-dir", fetched, "backup.tar"}, &out); err != nil {
		t.Fatal(err)
	}
	wantFile(t, fetched, "backup.tar", data)
	if !strings.Contains(out.String(), "backup.tar: done") {
		t.Errorf("output %q", out.String())
	}
	for _, args := range [][]string{nil, {"get", "-addr", addr, "nothing"}, {"send", "-addr", addr, "x"}, {"put", "-addr", addr, "/no/such/file"}} {
		if err := run(ctx, args, &out); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
