package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

func greet(_ context.Context, name *string) (*string, error) {
	text := "hello " + *name
	return &text, nil
}

// A server that wants a token, a client that shows one, and one that shows
// another.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, auth.NewCheckerPlugin(
		auth.CheckToken(func(token string) bool { return auth.Equal(token, "s3cret") })))
	defer srv.Close()
	erpc.HandleCall(srv, "/greet", greet)
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	for _, token := range []string{"s3cret", "guess"} {
		cli := erpc.NewPeer(erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(token)))
		defer cli.Close()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			fmt.Println(st.Code(), st.Msg())
			continue
		}
		var text string
		st = sess.Call("/greet", "you", &text).Status()
		fmt.Println(text, st.OK())
	}
	// Output:
	// hello you true
	// 401 Unauthorized
}

// Client and server prove to each other that they have the same key. It is
// never sent.
func ExampleNewHMACChecker() {
	keys := map[string][]byte{"alice": []byte("32 random bytes, from a file, say")}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, auth.NewHMACChecker(auth.HMACCheckerConfig{
		Key: func(_ auth.Session, id string) ([]byte, bool) {
			key, ok := keys[id]
			return key, ok
		},
		Passed: func(sess auth.Session, id string) *erpc.Status {
			sess.SetID(id) // now the server can push to "alice"
			return nil
		},
	}))
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{}, auth.NewHMACBearer(auth.HMACBearerConfig{
		ID: "alice", Key: "32 random bytes, from a file, say",
	}))
	defer cli.Close()
	_, st := cli.Dial(lis.Addr().String())
	fmt.Println(st.OK())
	// Output: true
}

// issue returns a token of the user that is valid for a while: the name, the end in seconds
// since 1970, and a signature of both.
func issue(key []byte, user string, valid time.Duration) string {
	text := user + "." + strconv.FormatInt(time.Now().Add(valid).Unix(), 10)
	return text + "." + sign(key, text)
}

func sign(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// signed returns the Check of a server that issues tokens with the key.
func signed(key []byte) func(context.Context, auth.Session, auth.Credentials) (*auth.Identity, *erpc.Status) {
	return func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		end := strings.LastIndexByte(c.Token, '.')
		if end < 0 || !auth.Equal(c.Token[end+1:], sign(key, c.Token[:end])) {
			return nil, nil // 401
		}
		user, seconds, _ := strings.Cut(c.Token[:end], ".")
		expires, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			return nil, nil
		}
		return &auth.Identity{Name: user, Expires: time.Unix(expires, 0)}, nil
	}
}

// A server signs tokens that are valid for a limited time. The session of a client ends at that
// time.
func ExampleIdentity() {
	key := []byte("32 random bytes, from a file, say")
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, auth.NewLogin(auth.LoginConfig{Check: signed(key)}))
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	for _, token := range []string{issue(key, "ann", time.Hour), issue(key, "ann", -time.Hour), issue([]byte("guess"), "ann", time.Hour)} {
		cli := erpc.NewPeer(erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(token)))
		defer cli.Close()
		_, st := cli.Dial(lis.Addr().String())
		fmt.Println(st.OK(), st.Code())
	}
	// Output:
	// true 0
	// false 401
	// false 401
}
