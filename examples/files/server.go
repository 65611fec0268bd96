package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/goerpc/erpc"
)

// An upload describes a file to upload.
type upload struct {
	Name   string
	Size   int64
	SHA256 string
}

// A position says where an upload has to resume.
type position struct {
	Offset int64
	Whole  bool // the server already has the whole file
}

// A fileInfo describes a file of the server.
type fileInfo struct {
	Size   int64
	SHA256 string
}

// Metadata of transfers.
const (
	metaName   = "File-Name"
	metaSize   = "File-Size"
	metaSHA256 = "File-Sha256" // of the whole file
	metaOffset = "File-Offset" // of the first transferred byte
)

// register registers the handlers of a file server with a peer.
func register(peer erpc.Peer, s *store) {
	erpc.HandleCall(peer, "/files/position", func(ctx context.Context, u *upload) (*position, error) {
		n, whole, err := s.have(ctx, *u)
		return &position{n, whole}, err
	})
	erpc.HandleUpload(peer, "/files/put", func(ctx context.Context, r io.Reader) error {
		u, offset, err := transferOf(ctx)
		if err != nil {
			return err
		}
		return s.receive(ctx, u, offset, r)
	})
	erpc.HandleCall(peer, "/files/stat", func(ctx context.Context, name *string) (*fileInfo, error) {
		d, err := s.stat(ctx, *name)
		return &fileInfo{d.size, d.sum}, err
	})
	erpc.HandleDownload(peer, "/files/get", func(ctx context.Context, w io.Writer) error {
		u, offset, err := transferOf(ctx)
		if err != nil {
			return err
		}
		f, d, err := s.open(ctx, u.Name)
		if err != nil {
			return err
		}
		defer f.Close() // it was only read
		if d.sum != u.SHA256 || offset > d.size {
			return failure(codeChanged, "%q has changed; ask again", u.Name)
		}
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return err
		}
		_, err = io.Copy(w, io.LimitReader(f, d.size-offset))
		return err
	})
}

// transferOf reads the metadata of a transfer.
func transferOf(ctx context.Context) (u upload, offset int64, err error) {
	meta := erpc.CallCtxFrom(ctx)
	number := func(key string) (n int64) {
		v := string(meta.PeekMeta(key))
		n, parseErr := strconv.ParseInt(v, 10, 64)
		if err == nil && (parseErr != nil || n < 0) {
			err = failure(codeBadName, "%s is %q; it must be a number of bytes", key, v)
		}
		return n
	}
	u = upload{Name: string(meta.PeekMeta(metaName)), Size: number(metaSize), SHA256: string(meta.PeekMeta(metaSHA256))}
	offset = number(metaOffset)
	return u, offset, err
}

// settings returns the metadata of a transfer of u from offset on.
func settings(u upload, offset int64) []erpc.MessageSetting {
	return []erpc.MessageSetting{
		erpc.WithSetMeta(metaName, u.Name),
		erpc.WithSetMeta(metaSize, fmt.Sprint(u.Size)),
		erpc.WithSetMeta(metaSHA256, u.SHA256),
		erpc.WithSetMeta(metaOffset, fmt.Sprint(offset)),
	}
}
