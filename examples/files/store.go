package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// Codes of the server's own failures.
const (
	codeBadName  = 1001 + iota // invalid name or metadata
	codeChanged                // the file or its part is not the one that the client expects
	codeBusy                   // another client is uploading the same file
	codeTooLarge               // larger than this server accepts
	codeChecksum               // the whole file does not match the announced SHA-256
)

// A store keeps files in a directory. An incomplete file is stored as a part,
// whose name contains the SHA-256 of the whole file, so that a returning client
// resumes the same file or starts over. All methods may be called concurrently.
type store struct {
	root    *os.Root
	maxSize int64

	mu      sync.Mutex // guards the following
	digests map[string]digest
	busy    map[string]bool // parts that are being written
}

// A digest caches the SHA-256 of a file at a certain time, so that the file is
// not read for each request.
type digest struct {
	size  int64
	mtime time.Time
	sum   string
}

const (
	partSuffix = ".part"
	maxPartAge = 24 * time.Hour // after this time no resumption is expected
	maxDigests = 10_000         // when reached, all are dropped
	maxName    = 200            // bytes
)

// openStore opens a store, and removes parts that are too old.
func openStore(dir string, maxSize int64) (*store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && isPart(e.Name()) && time.Since(info.ModTime()) > maxPartAge {
			err = root.Remove(e.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, root.Close())
		}
	}
	return &store{root: root, maxSize: maxSize, digests: map[string]digest{}, busy: map[string]bool{}}, nil
}

func (s *store) close() error { return s.root.Close() }

// checkName only accepts plain file names. The os.Root already confines paths
// to the directory; this check also keeps clients away from parts and hidden
// files.
func checkName(name string) error {
	if name == "" || len(name) > maxName || name[0] == '.' || strings.ContainsAny(name, "/\\\x00") || !filepath.IsLocal(name) {
		return failure(codeBadName, "%q is not the name of a file", name)
	}
	return nil
}

func partName(name, sum string) string { return "." + name + "." + sum[:16] + partSuffix }

func isPart(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, partSuffix)
}

// stat returns the size and the SHA-256 of a file.
func (s *store) stat(ctx context.Context, name string) (digest, error) {
	f, d, err := s.open(ctx, name)
	if err != nil {
		return digest{}, err
	}
	return d, f.Close()
}

// open returns a file with its digest.
func (s *store) open(ctx context.Context, name string) (*os.File, digest, error) {
	if err := checkName(name); err != nil {
		return nil, digest{}, err
	}
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, digest{}, failure(erpc.CodeNotFound, "no file %q", name)
	}
	if err != nil {
		return nil, digest{}, err
	}
	d, err := s.digest(ctx, name, f)
	if err != nil {
		return nil, digest{}, errors.Join(err, f.Close())
	}
	return f, d, nil
}

// digest returns the digest of f, and leaves f at its start.
func (s *store) digest(ctx context.Context, name string, f *os.File) (digest, error) {
	info, err := f.Stat()
	if err != nil {
		return digest{}, err
	}
	if !info.Mode().IsRegular() {
		return digest{}, failure(codeBadName, "%q is not a file", name)
	}
	s.mu.Lock()
	d, ok := s.digests[name]
	s.mu.Unlock()
	if ok && d.size == info.Size() && d.mtime.Equal(info.ModTime()) {
		return d, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, readerOf(ctx, f)); err != nil {
		return digest{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return digest{}, err
	}
	d = digest{info.Size(), info.ModTime(), hexOf(h)}
	s.remember(name, d)
	return d, nil
}

func (s *store) remember(name string, d digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.digests) >= maxDigests {
		clear(s.digests)
	}
	s.digests[name] = d
}

// have returns how many bytes of a file the store has, and whether the file is
// whole.
func (s *store) have(ctx context.Context, u upload) (n int64, whole bool, err error) {
	if err := s.check(u); err != nil {
		return 0, false, err
	}
	d, err := s.stat(ctx, u.Name)
	if err == nil && d.sum == u.SHA256 {
		return d.size, true, nil
	}
	if err != nil && erpc.StatusFromError(err).Code() != erpc.CodeNotFound {
		return 0, false, err
	}
	info, err := s.root.Stat(partName(u.Name, u.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return info.Size(), false, nil
}

func (s *store) check(u upload) error {
	if err := checkName(u.Name); err != nil {
		return err
	}
	if sum, err := hex.DecodeString(u.SHA256); err != nil || len(sum) != sha256.Size || u.SHA256 != strings.ToLower(u.SHA256) {
		return failure(codeBadName, "%q is not a SHA-256 in lower-case hexadecimal", u.SHA256)
	}
	if u.Size < 0 || u.Size > s.maxSize {
		return failure(codeTooLarge, "a file of %d bytes; the server accepts at most %d", u.Size, s.maxSize)
	}
	return nil
}

// receive appends r to the part of a file from offset on. When the part is
// complete and correct, it replaces the file. An incomplete part is kept, so
// that the client can resume.
func (s *store) receive(ctx context.Context, u upload, offset int64, r io.Reader) error {
	if err := s.check(u); err != nil {
		return err
	}
	part := partName(u.Name, u.SHA256)
	if !s.claim(part) {
		return failure(codeBusy, "another upload of %q is in progress", u.Name)
	}
	defer s.release(part)
	f, err := s.root.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	sum, err := appendTo(ctx, f, offset, u.Size, r)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return err
	}
	if sum != u.SHA256 { // resuming can't make it correct
		return errors.Join(failure(codeChecksum, "%q does not have the announced SHA-256; send it from its start", u.Name), s.root.Remove(part))
	}
	if err := s.root.Rename(part, u.Name); err != nil {
		return err
	}
	info, err := s.root.Stat(u.Name)
	if err == nil {
		s.remember(u.Name, digest{info.Size(), info.ModTime(), sum})
	}
	return err
}

func (s *store) claim(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[part] {
		return false
	}
	s.busy[part] = true
	return true
}

func (s *store) release(part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, part)
}

// appendTo appends r to f, which has offset bytes, and returns the SHA-256 of
// the whole file.
func appendTo(ctx context.Context, f *os.File, offset, size int64, r io.Reader) (sum string, err error) {
	h := sha256.New()
	n, err := io.Copy(h, readerOf(ctx, f)) // leaves f at its end
	if err != nil {
		return "", err
	}
	if n > size { // not the result of a transfer of this file
		return "", errors.Join(failure(codeChanged, "%d bytes are there, of %d; start over", n, size), f.Truncate(0))
	}
	if n != offset {
		return "", failure(codeChanged, "%d bytes are there, not %d; ask again", n, offset)
	}
	n, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(r, size-offset+1)) // one more byte, to detect an excess
	if err != nil {
		return "", err
	}
	if n != size-offset {
		return "", failure(codeChanged, "%d bytes came after %d, of %d", n, offset, size)
	}
	return hexOf(h), nil
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// failure returns a status that the client sees.
func failure(code int32, format string, args ...any) error {
	return erpc.NewStatus(code, fmt.Sprintf(format, args...)).Err()
}

// A ctxReader reads until its context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func readerOf(ctx context.Context, r io.Reader) io.Reader { return ctxReader{ctx, r} }

// Read implements [io.Reader].
func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
