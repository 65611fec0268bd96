package auth_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/auth"
)

const key = "0123456789abcdef-a-shared-key"

func keyring(_ auth.Session, id string) ([]byte, bool) {
	return []byte(key), id == "alice"
}

func hmacBearer(id, key string) *auth.BearerPlugin {
	return auth.NewHMACBearer(auth.HMACBearerConfig{ID: id, Key: key})
}

func TestHMAC(t *testing.T) {
	p := auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring, Passed: func(sess auth.Session, id string) *erpc.Status {
		sess.SetID(id)
		return nil
	}})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, p)
	works(t, wiretest.NewClient(t, erpc.PeerConfig{}, hmacBearer("alice", key)).MustDial(t, srv.Addr))
	if _, ok := srv.GetSession("alice"); !ok {
		t.Error("the session is not named alice")
	}
	// A wrong key and an unknown name look the same.
	for _, b := range []*auth.BearerPlugin{hmacBearer("alice", key+"!"), hmacBearer("mallory", key), bearer(token)} {
		_, st := wiretest.NewClient(t, erpc.PeerConfig{}, b).Dial(srv.Addr)
		if got := string(st.AppendQuery(nil)); got != "code=401&msg=Unauthorized" {
			t.Errorf("refused with %s", got)
		}
	}
	eventually(t, "all to be counted", func() bool { return p.Counts() == auth.Counts{Passed: 1, Refused: 3} })
}

func TestHMACPassedRefuses(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring,
		Passed: func(auth.Session, string) *erpc.Status { return erpc.NewStatus(1234, "not today", "a reason") }}))
	_, st := wiretest.NewClient(t, erpc.PeerConfig{}, hmacBearer("alice", key)).Dial(srv.Addr)
	if got := string(st.AppendQuery(nil)); got != "code=1234&msg=not%20today" {
		t.Errorf("refused with %s", got)
	}
}

// TestHMACShortServerKey: a key that is too short for a bearer is also too short
// for a checker.
func TestHMACShortServerKey(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewHMACChecker(auth.HMACCheckerConfig{
		Key: func(auth.Session, string) ([]byte, bool) { return nil, true }}))
	if _, st := wiretest.NewClient(t, erpc.PeerConfig{}, hmacBearer("alice", key)).Dial(srv.Addr); st.Code() != erpc.CodeUnauthorized {
		t.Errorf("with an empty key at the server: %v", st)
	}
}

// TestHMACOverheard records an exchange. It does not contain the key, and the
// client's messages are useless when replayed.
func TestHMACOverheard(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring}))
	heard := &overheard{}
	cli := wiretest.NewClient(t, erpc.PeerConfig{}, heard, hmacBearer("alice", key))
	works(t, cli.MustDial(t, srv.Addr))
	wrote, read := heard.all()
	if both := string(wrote) + string(read); strings.Contains(both, key) || strings.Contains(both, base64.RawURLEncoding.EncodeToString([]byte(key))) {
		t.Error("the key was sent")
	}
	again := wiretest.DialScript(t, "tcp", srv.Addr)
	first := int(wrote[3]) // lengths below 256
	second := first + int(wrote[first+3])
	again.Send(wrote[:first])
	again.Frame(false) // a challenge
	again.Send(wrote[first:second])
	if frame := again.Frame(false); !bytes.Contains(frame, []byte("code=401&msg=Unauthorized\x00")) {
		t.Errorf("the replay was answered with %q", frame)
	}
	again.WantEnd()
}

// TestHMACFalseServer connects to servers that do not know the key.
func TestHMACFalseServer(t *testing.T) {
	nonce := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, tc := range map[string]struct {
		answers []string
		want    string
	}{
		"takes anything":    {[]string{"pass"}, "no challenge"},
		"empty challenge":   {[]string{""}, "no challenge"},
		"no proof":          {[]string{nonce, "pass"}, "not proved"},
		"empty proof":       {[]string{nonce, ""}, "not proved"},
		"proves with zeros": {[]string{nonce, nonce}, "not proved"},
		"sends it back":     {[]string{nonce, "echo"}, "not proved"},
	} {
		t.Run(name, func(t *testing.T) {
			lis := wiretest.ListenScript(t)
			dialed := make(chan *erpc.Status, 1)
			cli := wiretest.NewClient(t, erpc.PeerConfig{}, hmacBearer("alice", key))
			go func() {
				_, st := cli.Dial(lis.Addr())
				dialed <- st
			}()
			s := lis.Accept()
			for i, answer := range tc.answers {
				frame := s.Frame(false)
				if answer == "echo" { // the client's own proof
					answer = string(frame[len(frame)-43:])
				}
				s.Send(authReply(i+1, answer))
			}
			if st := await(t, "Dial", dialed); st.Code() != erpc.CodeUnauthorized || !strings.Contains(st.Cause().Error(), tc.want) {
				t.Errorf("Dial: %v, want 401 and %q", st, tc.want)
			}
			s.WantEnd()
		})
	}
}

func authReply(seq int, body string) []byte {
	tail := fmt.Sprintf("\x00\x01%d\x05\x00\x00\x06code=0\x00\x00s%s", seq, body)
	return append([]byte{0, 0, 0, byte(4 + len(tail))}, tail...)
}

// FuzzHMACHello sends a checker arbitrary bytes as the first message. Nobody gets
// in, and nothing breaks.
func FuzzHMACHello(f *testing.F) {
	nonce := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for _, s := range []string{"", "a b c", "erpc-hmac-sha256-v1 YWxpY2U " + nonce, "erpc-hmac-sha256-v1  " + nonce, "erpc-hmac-sha256-v1 YWxpY2U AA"} {
		f.Add(s)
	}
	p := auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring})
	srv := wiretest.Serve(f, erpc.PeerConfig{}, p)
	f.Fuzz(func(t *testing.T, hello string) {
		cli := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(func(_ auth.Session, send auth.SendOnce) *erpc.Status {
			var answer string
			if st := send(hello, &answer); !st.OK() {
				return st
			}
			if len(answer) != 43 {
				t.Errorf("%q was answered with %q", hello, answer)
			}
			return erpc.NewStatus(1, "a challenge")
		}, erpc.WithBodyCodec('s')))
		if _, st := cli.Dial(srv.Addr); st.OK() {
			t.Errorf("%q got in", hello)
		}
	})
}

// overheard records what goes over the connection of a client.
type overheard struct {
	mu          sync.Mutex // guards the following
	wrote, read []byte
}

func (*overheard) Name() string { return "overheard" }

func (o *overheard) PostDial(sess erpc.PreSession, _ bool) *erpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return &tapped{conn, o}, nil })
	return nil
}

func (o *overheard) all() (wrote, read []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.wrote), bytes.Clone(o.read)
}

type tapped struct {
	net.Conn
	o *overheard
}

func (c *tapped) Write(b []byte) (int, error) {
	c.o.mu.Lock()
	c.o.wrote = append(c.o.wrote, b...)
	c.o.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.o.mu.Lock()
	c.o.read = append(c.o.read, b[:n]...)
	c.o.mu.Unlock()
	return n, err
}
