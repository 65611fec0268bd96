package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/goerpc/erpc"
)

// A client transfers files over one session. progress, which may be nil, is called
// with the bytes of the file that have been transferred, and its size.
type client struct {
	sess     erpc.Session
	progress func(done, total int64)
}

const (
	maxStalls  = 10 // consecutive attempts that transfer no byte
	stallPause = 300 * time.Millisecond
)

// put uploads the file at path under its base name. After a lost connection it
// resumes with the next byte that the server needs.
func (c *client) put(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	h := sha256.New()
	size, err := io.Copy(h, readerOf(ctx, f))
	if err != nil {
		return err
	}
	u := upload{Name: filepath.Base(path), Size: size, SHA256: hexOf(h)}
	return keepTrying(ctx, func() (moved int64, err error) {
		at, err := erpc.Call[position](ctx, c.sess, "/files/position", u)
		if err != nil || at.Whole {
			return 0, err
		}
		if _, err := f.Seek(at.Offset, io.SeekStart); err != nil {
			return 0, err
		}
		t := c.transfer(u, at.Offset, &moved)
		err = t.Upload(ctx, c.sess, "/files/put", io.LimitReader(f, size-at.Offset))
		return moved, err
	})
}

// get downloads a file into dir. After a lost connection or a restart of the
// program it resumes where it stopped, unless the file has changed.
func (c *client) get(ctx context.Context, name, dir string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return keepTrying(ctx, func() (moved int64, err error) {
		info, err := erpc.Call[fileInfo](ctx, c.sess, "/files/stat", name)
		if err != nil {
			return 0, err
		}
		u := upload{Name: name, Size: info.Size, SHA256: info.SHA256}
		if len(u.SHA256) != 2*sha256.Size {
			return 0, failure(codeChecksum, "the server sent an invalid SHA-256 for %q: %q", name, u.SHA256)
		}
		part := filepath.Join(dir, partName(name, u.SHA256))
		f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return 0, err
		}
		sum, err := c.download(ctx, u, f, &moved)
		err = errors.Join(err, f.Close())
		if err != nil {
			return moved, err
		}
		if sum != u.SHA256 {
			return moved, errors.Join(failure(codeChecksum, "%q does not have the SHA-256 that the server announced; get it again", name), os.Remove(part))
		}
		return moved, os.Rename(part, filepath.Join(dir, name))
	})
}

// download completes f.
func (c *client) download(ctx context.Context, u upload, f *os.File, moved *int64) (sum string, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	r, err := c.transfer(u, info.Size(), moved).Download(ctx, c.sess, "/files/get")
	if err != nil {
		return "", err
	}
	defer r.Close() // Read has returned its error
	sum, err = appendTo(ctx, f, info.Size(), u.Size, r)
	if err == nil {
		err = f.Sync()
	}
	return sum, err
}

func (c *client) transfer(u upload, offset int64, moved *int64) erpc.Transfer {
	return erpc.Transfer{Settings: settings(u, offset), Progress: func(n int64) {
		*moved = n
		if c.progress != nil {
			c.progress(offset+n, u.Size)
		}
	}}
}

// keepTrying calls try until it succeeds, fails permanently, or has transferred
// nothing for too many times in a row.
func keepTrying(ctx context.Context, try func() (moved int64, err error)) error {
	for stalls := 0; ; {
		moved, err := try()
		if err == nil || !passing(err) || ctx.Err() != nil {
			return err
		}
		stalls++
		if moved > 0 {
			stalls = 0
		}
		if stalls == maxStalls {
			return fmt.Errorf("no byte was transferred in %d attempts: %w", stalls, err)
		}
		select {
		case <-time.After(stallPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passing reports whether another attempt may succeed: the connection was lost,
// the server is restarting, or it has not noticed yet that the last attempt is
// over.
func passing(err error) bool {
	switch erpc.StatusFromError(err).Code() {
	case erpc.CodeConnClosed, erpc.CodeWriteFailed, erpc.CodeDialFailed, erpc.CodeShuttingDown, codeBusy, codeChanged:
		return true
	}
	return false
}
