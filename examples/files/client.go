package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/goerpc/erpc"
)

// A client transfers files over one session. progress, which may be nil, is called
// with the bytes of the file that have been transferred, and its size.
type client struct {
	sess     erpc.Session
	progress func(done, total int64)
}

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
	return c.transfer(&u.Size).Resume(ctx, c.sess, func(t erpc.Transfer) error {
		at, err := erpc.Call[position](ctx, c.sess, "/files/position", u)
		if err != nil || at.Whole {
			return err
		}
		if _, err := f.Seek(at.Offset, io.SeekStart); err != nil {
			return err
		}
		t.Offset, t.Settings = at.Offset, settings(u, at.Offset)
		return t.Upload(ctx, c.sess, "/files/put", io.LimitReader(f, size-at.Offset))
	})
}

// get downloads a file into dir. After a lost connection or a restart of the
// program it resumes where it stopped, unless the file has changed.
func (c *client) get(ctx context.Context, name, dir string) error {
	if err := checkName(name); err != nil {
		return err
	}
	u := upload{Name: name}
	return c.transfer(&u.Size).Resume(ctx, c.sess, func(t erpc.Transfer) error {
		info, err := erpc.Call[fileInfo](ctx, c.sess, "/files/stat", name)
		if err != nil {
			return err
		}
		u.Size, u.SHA256 = info.Size, info.SHA256
		if len(u.SHA256) != 2*sha256.Size {
			return failure(codeChecksum, "the server sent an invalid SHA-256 for %q: %q", name, u.SHA256)
		}
		part := filepath.Join(dir, partName(name, u.SHA256))
		f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		sum, err := c.download(ctx, t, u, f)
		err = errors.Join(err, f.Close())
		if err != nil {
			return err
		}
		if sum != u.SHA256 {
			return errors.Join(failure(codeChecksum, "%q does not have the SHA-256 that the server announced; get it again", name), os.Remove(part))
		}
		return os.Rename(part, filepath.Join(dir, name))
	})
}

// download completes f.
func (c *client) download(ctx context.Context, t erpc.Transfer, u upload, f *os.File) (sum string, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	t.Offset, t.Settings = info.Size(), settings(u, info.Size())
	r, err := t.Download(ctx, c.sess, "/files/get")
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

// transfer returns the transfer of a file, whose size may be set later.
func (c *client) transfer(size *int64) erpc.Transfer {
	return erpc.Transfer{
		Progress: func(done int64) {
			if c.progress != nil {
				c.progress(done, *size)
			}
		},
		Again: again,
	}
}

// again reports whether to resume after a failure of the server's own: it has not
// noticed yet that the last attempt is over, or the file has changed.
func again(err error) bool {
	code := erpc.StatusFromError(err).Code()
	return code == codeBusy || code == codeChanged
}
