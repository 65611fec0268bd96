package wiretest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Directions of a [Vector].
const (
	ToServer = "client->server"
	ToClient = "server->client"
	Packed   = "pack" // without a connection
)

// A Vector is one message as erpc v7 wrote it.
type Vector struct {
	Index  int    // in the file
	Name   string // family/exchange
	Proto  string // "raw", "jsonproto", "pbproto", "http", "websocket", "thrift-binary", "thrift-struct"
	Dir    string
	Bytes  []byte
	Fields Fields // decoded; which are set depends on the protocol
	Text   string // of http, and of websocket's handshake
	Note   string
}

// Fields are the parts of a message. Those of raw have all but Payload.
type Fields struct {
	Seq           int32  `json:"seq"`
	Mtype         byte   `json:"mtype"`
	ServiceMethod string `json:"service_method"`
	Status        string `json:"status"` // query text
	Meta          string `json:"meta"`   // query text
	BodyCodec     byte   `json:"body_codec"`
	Body          Hex    `json:"body_hex"`
	XferIDs       string `json:"xfer_ids"`
	Unfiltered    Hex    `json:"unfiltered_hex"` // the input of the filters; nil without filters
	Payload       Hex    `json:"payload_hex"`    // of jsonproto and pbproto, filters undone
}

// Hex holds bytes that are hexadecimal digits in JSON.
type Hex []byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// Family returns the part of the name before its first slash.
func (v Vector) Family() string {
	family, _, _ := strings.Cut(v.Name, "/")
	return family
}

// Golden returns every captured message of a protocol, in the order of the
// file.
func Golden(tb testing.TB, proto string) []Vector {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(Root(tb), "internal", "test", "testdata", "golden.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []struct {
		Name, Proto, Dir, Text, Note string
		Hex                          Hex
		Fields                       Fields
	}
	if err := json.Unmarshal(data, &all); err != nil {
		tb.Fatal(err)
	}
	var found []Vector
	for i, v := range all {
		if v.Proto == proto {
			found = append(found, Vector{i, v.Name, v.Proto, v.Dir, v.Hex, v.Fields, v.Text, v.Note})
		}
	}
	if len(found) == 0 {
		tb.Fatalf("wiretest: no vectors of %q", proto)
	}
	return found
}

// An Exchange has the vectors of one name, in order.
type Exchange struct {
	Name     string
	Messages []Vector
}

// Exchanges groups vectors by name; further messages of an exchange, named name#2
// and so on, belong to it.
func Exchanges(vectors []Vector) []Exchange {
	var all []Exchange
	for _, v := range vectors {
		name, _, _ := strings.Cut(v.Name, "#")
		if n := len(all); n == 0 || all[n-1].Name != name {
			all = append(all, Exchange{Name: name})
		}
		last := &all[len(all)-1]
		last.Messages = append(last.Messages, v)
	}
	return all
}

// Root returns the directory of the module, in or below which tests run.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		switch {
		case err == nil:
			return dir
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			tb.Fatalf("wiretest: no go.mod above the working directory: %v", err)
		}
		dir = filepath.Dir(dir)
	}
}
