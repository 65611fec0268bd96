package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/xfer"
)

const rawVectors = 84

// TestGoldenRawFrames reads every captured frame of the raw protocol, compares it
// with the fields that v7 reported, and writes the same frame, from the message as
// it was read and from decoded parts.
func TestGoldenRawFrames(t *testing.T) {
	wiretest.Filters()
	vectors := wiretest.Golden(t, "raw")
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			m := message.New()
			r := bufio.NewReader(bytes.NewReader(v.Bytes))
			if err := rawproto.New().Unpack(r, m, len(v.Bytes)+1024); err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("bytes of the frame were left: %v", err)
			}
			wantFields(t, m, v)

			m.SetBody(bytes.Clone(m.Raw()))
			wantPacked(t, m, v)
			wantPacked(t, decoded(m), v)
		})
	}
	if len(vectors) != rawVectors {
		t.Errorf("%d vectors of raw, want %d", len(vectors), rawVectors)
	}
}

func wantFields(t *testing.T, m *message.Message, v wiretest.Vector) {
	t.Helper()
	f := v.Fields
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"seq", m.Seq(), f.Seq},
		{"type", m.Mtype(), f.Mtype},
		{"service method", m.ServiceMethod(), f.ServiceMethod},
		{"status", string(m.Status().AppendQuery(nil)), f.Status},
		{"metadata", m.Meta().String(), f.Meta},
		{"codec", m.BodyCodec(), f.BodyCodec},
		{"filters", string(m.XferPipe().IDs()), f.XferIDs},
		{"body", string(m.Raw()), string(f.Body)},
		{"size", int(m.Size()), len(v.Bytes)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// decoded returns a copy of m in which every text is decoded.
func decoded(m *message.Message) *message.Message {
	c := message.New(message.WithServiceMethod(m.ServiceMethod()), message.WithBodyCodec(m.BodyCodec()),
		message.WithBody(m.Body()), message.WithXferPipe(m.XferPipe().IDs()...))
	c.SetSeq(m.Seq())
	c.SetMtype(m.Mtype())
	for k, v := range m.Meta().All {
		c.Meta().Add(k, v)
	}
	if st := m.Status(); st != nil {
		same := message.NewStatus(st.Code(), st.Msg())
		if cause := st.Cause(); cause != nil {
			same.SetCause(errors.New(cause.Error()))
		}
		c.SetStatus(same)
	}
	return c
}

func wantPacked(t *testing.T, m *message.Message, v wiretest.Vector) {
	t.Helper()
	before := []byte("before")
	frame, err := rawproto.New().Pack(bytes.Clone(before), m)
	if err != nil {
		t.Fatal(err)
	}
	frame, ok := bytes.CutPrefix(frame, before)
	if !ok {
		t.Fatalf("Pack changed what stood before the frame: %q", frame)
	}
	wantFrame(t, frame, v)
}

// wantFrame compares a frame with that of v7. Compressed parts are compared
// uncompressed.
func wantFrame(t *testing.T, got []byte, v wiretest.Vector) {
	t.Helper()
	if !strings.Contains(v.Fields.XferIDs, "g") {
		if !bytes.Equal(got, v.Bytes) {
			t.Errorf("frame\n%q, want\n%q", got, v.Bytes)
		}
		return
	}
	const head = 4 // the length, which follows from the rest
	filters := append([]byte{byte(len(v.Fields.XferIDs))}, v.Fields.XferIDs...)
	inner, ok := bytes.CutPrefix(got[head:], filters)
	if !ok {
		t.Fatalf("frame %q, want filters %q", got, v.Fields.XferIDs)
	}
	var pipe xfer.XferPipe
	if err := pipe.Append([]byte(v.Fields.XferIDs)...); err != nil {
		t.Fatal(err)
	}
	inner, err := pipe.OnUnpack(bytes.Clone(inner))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inner, v.Fields.Unfiltered) {
		t.Errorf("unfiltered\n%q, want\n%q", inner, v.Fields.Unfiltered)
	}
}
