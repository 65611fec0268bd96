package thriftproto_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/thriftproto"
)

var formats = map[string]proto.Func{
	"thrift-binary": thriftproto.NewBinaryProtoFunc(),
	"thrift-struct": thriftproto.NewStructProtoFunc(),
}

func configOf(format string) erpc.PeerConfig {
	return erpc.PeerConfig{ProtoFunc: formats[format], DefaultBodyCodec: "thrift"}
}

// nested is an error over thrift-struct, for which v7 sends two frames without a
// struct, and without the status.
const nested = "thrift-struct/status"

// structError is what we send for it.
const structError = "\x00\x00\x00\x57\x0f\xff\x00\x00\x00\x00\x00\x02\x00\x10\x00\x00\x01\x02" +
	"\x09Tp-Status\x25code=1001&msg=bad%20thing&cause=cause" + "\x07Tp-Meta\x00\x00\x00\x00" +
	"\x80\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00"

// canonical returns the content of a frame with its pairs sorted, because v7
// writes them in random order, and its body uncompressed.
func canonical(t *testing.T, frame []byte) string {
	t.Helper()
	if len(frame) < 18 || int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		t.Fatalf("not a frame: %q", frame)
	}
	end := 14 + 4*int(binary.BigEndian.Uint16(frame[12:]))
	info, payload := frame[14:end], frame[end:]
	r := bytes.NewBuffer(info)
	if first := string(r.Next(3)); first != "\x00\x00\x01" {
		t.Fatalf("the header begins with %q", first)
	}
	text := func() string {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Next(int(n)))
	}
	count, err := binary.ReadUvarint(r)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	zipped := false
	for range count {
		k, v := text(), text()
		zipped = zipped || k == thriftproto.HeaderXferPipe && v == "g"
		pairs = append(pairs, fmt.Sprintf("%s=%q", k, v))
	}
	if rest := strings.Trim(r.String(), "\x00"); rest != "" || r.Len() > 3 {
		t.Fatalf("the header ends with %q", r)
	}
	slices.Sort(pairs)
	if zipped {
		at := bytes.Index(payload, []byte("\x1f\x8b"))
		z, err := gzip.NewReader(bytes.NewReader(payload[at:]))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		payload = slices.Concat(payload[:at-4], plain)
	}
	return fmt.Sprintf("%q %d bytes of header %q %q", frame[4:12], len(info), pairs, payload)
}

// exchanges returns the captures of a format that have bytes.
func exchanges(t *testing.T, format string) []wiretest.Exchange {
	return slices.DeleteFunc(wiretest.Exchanges(wiretest.Golden(t, format)), func(e wiretest.Exchange) bool {
		return len(e.Messages[0].Bytes) == 0 // v7 had closed already
	})
}

// TestGoldenFrames reads every captured frame and writes it again.
func TestGoldenFrames(t *testing.T) {
	frames := 0
	for format, newProto := range formats {
		for _, e := range exchanges(t, format) {
			for i, v := range e.Messages {
				if e.Name == nested && i == 1 {
					continue
				}
				m := new(message.Message)
				if err := newProto().Unpack(bufio.NewReader(bytes.NewReader(v.Bytes)), m, 1<<10); err != nil {
					t.Fatalf("%s: %v", v.Name, err)
				}
				if int(m.Size()) != len(v.Bytes) {
					t.Errorf("%s: size %d, want %d", v.Name, m.Size(), len(v.Bytes))
				}
				m.SetBody(m.Raw())
				got, err := newProto().Pack(nil, m)
				if err != nil {
					t.Fatalf("%s: %v", v.Name, err)
				}
				if g, w := canonical(t, got), canonical(t, v.Bytes); g != w {
					t.Errorf("%s:\n%s, want\n%s", v.Name, g, w)
				}
				frames++
			}
		}
	}
	if frames != 16 {
		t.Errorf("%d frames, want 16", frames)
	}
}

// TestGoldenServer sends our server what v7's clients sent.
func TestGoldenServer(t *testing.T) {
	for format := range formats {
		p := wiretest.Serve(t, configOf(format))
		s := wiretest.DialScript(t, "tcp", p.Addr)
		for _, e := range exchanges(t, format) {
			t.Run(e.Name, func(t *testing.T) {
				s.Send(e.Messages[0].Bytes)
				if strings.HasSuffix(e.Name, "/push") {
					p.WantPush(t, wiretest.Pushed{Method: "Note.Say", Body: "pushed"})
					return
				}
				want := e.Messages[1].Bytes
				if e.Name == nested {
					want = []byte(structError)
				}
				if g, w := canonical(t, s.Frame(true)), canonical(t, want); g != w {
					t.Errorf("\n%s, want\n%s", g, w)
				}
			})
		}
	}
}

// TestGoldenClient makes the calls that v7's clients made and answers them as
// v7's server did.
func TestGoldenClient(t *testing.T) {
	author, greeted := &wiretest.Author{Author: "andeya"}, wiretest.Author{Author: "andeya->OK"}
	failed := "code=1001&msg=bad%20thing&cause=cause"
	for name, call := range map[string]wiretest.Call{
		"call":       {Method: "Home.Test", Arg: author, Want: greeted, Settings: []erpc.MessageSetting{erpc.WithAddMeta("peer_id", "110")}},
		"call-after": {Method: "Home.Test", Arg: author, Want: greeted},
		"gzip":       {Method: "Home.Test", Arg: author, Want: greeted, Settings: []erpc.MessageSetting{erpc.WithXferPipe('g')}},
		"json-body":  {Method: "Home.Json", Arg: map[string]int{"a": 1}, Want: map[string]int{"a": 1}, Settings: []erpc.MessageSetting{erpc.WithBodyCodec('j')}},
		"status":     {Method: "Home.Fail", Arg: author, Status: failed},
		"not-found":  {Method: "Home.None", Arg: author, Status: "code=404&msg=Not%20Found&cause="},
	} {
		for format := range formats {
			for _, e := range exchanges(t, format) {
				if e.Name != format+"/"+name {
					continue
				}
				t.Run(e.Name, func(t *testing.T) {
					call := call
					if e.Name == nested {
						call.Status, call.Code = "", erpc.CodeUnknownError // rather than no end
					}
					lis := wiretest.ListenScript(t)
					sess := wiretest.NewClient(t, configOf(format)).MustDial(t, lis.Addr())
					s := lis.Accept()
					for seq := int32(1); ; seq++ { // the captures were made on one session
						started := call.Start(sess)
						frame := s.Frame(true)
						v := e.Messages[0]
						if at := int32(binary.BigEndian.Uint32(v.Bytes[8:])); seq == at {
							if g, w := canonical(t, frame), canonical(t, v.Bytes); g != w {
								t.Errorf("\n%s, want\n%s", g, w)
							}
							s.Send(e.Messages[1].Bytes)
							if err := started.End(); err != nil {
								t.Error(err)
							}
							return
						}
					}
				})
			}
		}
	}
}
