package wiretest

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

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/message"
)

// A SubProto is a sub-protocol of WebSocket under test.
type SubProto struct {
	New    erpc.ProtoFunc
	Family string // of v7's vectors
}

// payloads are the messages that v7 sent over WebSocket, by the name of their
// exchange.
func (s SubProto) payloads(t *testing.T) map[string][][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Root(t), "internal", "test", "testdata", "golden.json"))
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
		if !strings.HasPrefix(v.Name, s.Family+"/") {
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

// ReadsAndWritesAsV7 checks that v7's messages are read, and written again byte for
// byte; compressed ones, and ones that v7 escapes wrongly, are compared decoded.
func (s SubProto) ReadsAndWritesAsV7(t *testing.T) {
	all := s.payloads(t)
	if len(all) < 5 {
		t.Fatalf("only %d exchanges were found", len(all))
	}
	for name, messages := range all {
		for _, payload := range messages {
			m := s.unpack(t, payload)
			m.SetBody(bytes.Clone(m.Raw()))
			frame, err := s.New().Pack(nil, m)
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
			again := s.unpack(t, got)
			again.SetBody(m.Body())
			m.SetSize(0)
			if m.XferPipe().Len() == 0 && !strings.Contains(name, "backslash") || again.String() != m.String() || !bytes.Equal(again.Raw(), m.Raw()) {
				t.Errorf("%s: wrote\n%q\nwant\n%q", name, got, payload)
			}
		}
	}
}

// framed puts the length in front, as socket/websocket does.
func framed(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func (s SubProto) read(payload []byte, limit int) (*message.Message, error) {
	m := new(message.Message)
	return m, s.New().Unpack(bufio.NewReader(bytes.NewReader(framed(payload))), m, limit)
}

func (s SubProto) unpack(t *testing.T, payload []byte) *message.Message {
	t.Helper()
	m, err := s.read(payload, 4+len(payload))
	if err != nil {
		t.Fatalf("%q: %v", payload, err)
	}
	m.SetSize(0) // not to be compared
	return m
}

// CarriesTheStatus checks that a failed call carries its status where v7 ignores
// it, and that a successful one carries none.
func (s SubProto) CarriesTheStatus(t *testing.T) {
	m := message.New(message.WithStatus(message.NewStatus(1001, "bad thing", "because")))
	m.SetMtype(message.TypeReply)
	frame, err := s.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got := s.unpack(t, frame[4:])
	if st := got.Status(); st.Code() != 1001 || st.Msg() != "bad thing" || st.Cause().Error() != "because" {
		t.Errorf("the status arrived as %v", st)
	}
	m.SetStatus(nil)
	frame, err = s.New().Pack(nil, m)
	if err != nil || bytes.Contains(frame, []byte("code=")) {
		t.Errorf("a success is written as %q, %v", frame, err)
	}
}

// Fuzz checks that messages that are read stay below the limit and can be written.
func (s SubProto) Fuzz(f *testing.F) {
	m := message.New(message.WithServiceMethod("/a"), message.WithAddMeta("k", "v"), message.WithBody([]byte("[1]")), message.WithXferPipe('m'))
	m.SetMtype(message.TypeCall)
	frame, err := s.New().Pack(nil, m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame[4:])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		const limit = 1 << 20
		m, err := s.read(payload, limit)
		if err != nil {
			return
		}
		if len(m.Raw()) > limit {
			t.Fatalf("a body of %d bytes came through a limit of %d", len(m.Raw()), limit)
		}
		m.SetBody(bytes.Clone(m.Raw()))
		if _, err := s.New().Pack(nil, m); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
	})
}
