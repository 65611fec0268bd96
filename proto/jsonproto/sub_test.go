package jsonproto_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/erpc-go/erpc/internal/wiretest"
	"github.com/erpc-go/erpc/message"
	"github.com/erpc-go/erpc/proto/jsonproto"
	"github.com/erpc-go/erpc/proto/prototest"
)

func TestSubProtocolConformance(t *testing.T) {
	prototest.Run(t, jsonproto.NewSub, prototest.Options{Filters: []byte("gm")})
}

// payloads are the messages that v7 sent over WebSocket, by the name of their
// exchange.
func payloads(t *testing.T) map[string][][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(wiretest.Root(t), "testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Dir string
		Fields    json.RawMessage
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	found := map[string][][]byte{}
	for _, v := range vectors {
		if !strings.HasPrefix(v.Name, "ws-json/") {
			continue
		}
		var f struct {
			Frames []struct {
				Hex string `json:"payload_hex"`
			}
		}
		if err := json.Unmarshal(v.Fields, &f); err != nil {
			continue // a handshake
		}
		for _, frame := range f.Frames {
			payload, err := hex.DecodeString(frame.Hex)
			if err != nil {
				t.Fatal(err)
			}
			found[v.Name] = append(found[v.Name], payload)
		}
	}
	return found
}

// What v7 wrote is read, and written again byte for byte; what is compressed,
// or what v7 escapes wrongly, by its meaning.
func TestSubProtocolReadsAndWritesAsV7(t *testing.T) {
	all := payloads(t)
	if len(all) < 5 {
		t.Fatalf("only %d exchanges were found", len(all))
	}
	for name, messages := range all {
		for _, payload := range messages {
			m := unpackSub(t, payload)
			m.SetBody(bytes.Clone(m.Raw()))
			frame, err := jsonproto.NewSub().Pack(nil, m)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := frame[4:]
			if n := binary.BigEndian.Uint32(frame); int(n) != len(got) {
				t.Errorf("%s: the length is %d of %d", name, n, len(got))
			}
			if bytes.Equal(got, payload) {
				continue
			}
			again := unpackSub(t, got)
			again.SetBody(m.Body())
			m.SetSize(0)
			if m.XferPipe().Len() == 0 && !strings.Contains(name, "backslash") || again.String() != m.String() || !bytes.Equal(again.Raw(), m.Raw()) {
				t.Errorf("%s: wrote\n%q\nwant\n%q", name, got, payload)
			}
		}
	}
}

func unpackSub(t *testing.T, payload []byte) *message.Message {
	t.Helper()
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	m := new(message.Message)
	if err := jsonproto.NewSub().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatalf("%q: %v", payload, err)
	}
	m.SetSize(0) // not to be compared
	return m
}

// A failed call carries its status where v7 passes over it; one that succeeded
// carries none.
func TestSubProtocolCarriesTheStatus(t *testing.T) {
	m := message.New(message.WithStatus(message.NewStatus(1001, "bad thing", "because")))
	m.SetMtype(message.TypeReply)
	frame, err := jsonproto.NewSub().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got := unpackSub(t, frame[4:])
	if st := got.Status(); st.Code() != 1001 || st.Msg() != "bad thing" || st.Cause().Error() != "because" {
		t.Errorf("the status arrived as %v", st)
	}
	m.SetStatus(nil)
	if frame, err = jsonproto.NewSub().Pack(nil, m); err != nil || bytes.Contains(frame, []byte("code=")) {
		t.Errorf("a success is written as %q, %v", frame, err)
	}
}

func FuzzSubProtocol(f *testing.F) {
	m := message.New(message.WithServiceMethod("/a"), message.WithAddMeta("k", "v"), message.WithBody([]byte("[1]")), message.WithXferPipe('m'))
	m.SetMtype(message.TypeCall)
	frame, err := jsonproto.NewSub().Pack(nil, m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame[4:])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		const limit = 1 << 20
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
		var m message.Message
		if jsonproto.NewSub().Unpack(bufio.NewReader(bytes.NewReader(frame)), &m, limit) != nil {
			return
		}
		if len(m.Raw()) > limit {
			t.Fatalf("a body of %d bytes came through a limit of %d", len(m.Raw()), limit)
		}
		m.SetBody(bytes.Clone(m.Raw()))
		if _, err := jsonproto.NewSub().Pack(nil, &m); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
	})
}
