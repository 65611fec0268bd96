package gentest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/protoc-gen-erpc/internal/gentest/chat"
	"github.com/goerpc/erpc/cmd/protoc-gen-erpc/internal/gentest/chat/chaterpc"
	"github.com/goerpc/erpc/cmd/protoc-gen-erpc/internal/gentest/samepackage"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/plugin/retry"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/protobuf"
)

// server is a handler of Chat that calls the Member of its session.
type server struct {
	chaterpc.UnimplementedChatHandler
	typing chan string
}

func (s *server) Say(ctx context.Context, in *chat.SayRequest) (*chat.SayReply, error) {
	if in.Text == "" {
		return nil, erpc.NewStatus(1001, "nothing to say").Err()
	}
	if in.Room == "ask" {
		member := chaterpc.NewMemberClient(erpc.CallCtxFrom(ctx).Session())
		count, err := member.Confirm(ctx, &chat.Line{Text: in.Text})
		if err != nil {
			return nil, err
		}
		return &chat.SayReply{Number: count.Lines}, nil
	}
	return &chat.SayReply{Number: int64(len(in.Text))}, nil
}

func (s *server) Last(_ context.Context, in *chat.WatchRequest) (*chat.Line, error) {
	return &chat.Line{Number: in.Since, Text: in.Room}, nil
}

func (s *server) Typing(_ context.Context, in *chat.TypingNotice) error {
	s.typing <- in.Name
	return nil
}

func (s *server) Watch(_ context.Context, in *chat.WatchRequest, lines *erpc.Stream[chat.WatchRequest, chat.Line]) error {
	for n := range in.Since {
		if err := lines.Send(&chat.Line{Number: n, Text: in.Room}); err != nil {
			return err
		}
	}
	if in.Room == "fail" {
		return erpc.NewStatus(1002, "no such room").Err()
	}
	return nil
}

func (s *server) Import(_ context.Context, lines *erpc.Stream[chat.Line, chat.Count]) (*chat.Count, error) {
	n := int64(0)
	for line, err := range lines.All() {
		if err != nil {
			return nil, err
		}
		if line.Text == "" {
			return nil, nil // a mistake of the handler
		}
		n++
	}
	return &chat.Count{Lines: n}, nil
}

func (s *server) Talk(_ context.Context, lines *erpc.Stream[chat.Line, chat.Line]) error {
	for line, err := range lines.All() {
		if err != nil {
			return err
		}
		if err := lines.Send(&chat.Line{Number: line.Number + 1, Text: "re: " + line.Text}); err != nil {
			return err
		}
	}
	return nil
}

// member is a handler of Member.
type member struct{ said chan string }

func (m *member) Confirm(_ context.Context, in *chat.Line) (*chat.Count, error) {
	return &chat.Count{Lines: int64(100 + len(in.Text))}, nil
}

func (m *member) Said(_ context.Context, in *chat.Line) error {
	m.said <- in.Text
	return nil
}

// pair connects a server of Chat and a client that serves Member.
func pair(t *testing.T, protocol erpc.ProtoFunc) (s *server, m *member, srv, cli erpc.Session) {
	s, m = &server{typing: make(chan string, 1)}, &member{said: make(chan string, 2)}
	srv, cli = erpctest.Config{Proto: protocol}.Pair(t,
		func(p erpc.Peer) { chaterpc.RegisterChat(p, s) },
		func(p erpc.Peer) { chaterpc.RegisterMember(p, m) })
	return s, m, srv, cli
}

func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(30 * time.Second):
		t.Error("nothing came")
	}
	return v
}

var protocols = map[string]erpc.ProtoFunc{
	"raw": rawproto.New, "json": jsonproto.New, "pb": pbproto.New, "http": httproto.NewHTTProtoFunc(),
}

// Calls, pushes, callbacks and broadcasts arrive over each protocol, with protobuf
// bodies and, where a setting says so, with JSON.
func TestCallsAndPushes(t *testing.T) {
	for name, protocol := range protocols {
		for _, body := range []byte{codec.ID_PROTOBUF, codec.ID_JSON} {
			t.Run(fmt.Sprintf("%s/%c", name, body), func(t *testing.T) {
				s, m, srv, cli := pair(t, protocol)
				client := chaterpc.NewChatClient(cli, erpc.WithBodyCodec(body))
				reply, err := client.Say(t.Context(), &chat.SayRequest{Text: "hello"})
				if err != nil || reply.Number != 5 {
					t.Errorf("Say: %v, %v", reply, err)
				}
				_, err = client.Say(t.Context(), &chat.SayRequest{})
				if erpc.StatusFromError(err).Code() != 1001 {
					t.Errorf("a failed call: %v", err)
				}
				_, err = client.Old(t.Context(), &chat.SayRequest{}) //lint:ignore SA1019 the test is about it
				if erpc.StatusFromError(err).Code() != erpc.CodeNotFound || !strings.Contains(err.Error(), chaterpc.Chat_Old_Method) {
					t.Errorf("a method that the handler does not have: %v", err)
				}
				if name == "http" {
					return // the client does not serve
				}
				if err := client.Typing(t.Context(), &chat.TypingNotice{Name: "ann"}); err != nil || receive(t, s.typing) != "ann" {
					t.Errorf("Typing: %v", err)
				}
				reply, err = client.Say(t.Context(), &chat.SayRequest{Room: "ask", Text: "sure?"})
				if err != nil || reply.Number != 105 {
					t.Errorf("the server called back and got %v, %v", reply, err)
				}
				peer := srv.Peer().(erpc.Peer)
				peer.Group("room").Join(srv)
				for _, to := range []chaterpc.MemberBroadcaster{chaterpc.NewMemberBroadcaster(peer), chaterpc.NewMemberBroadcaster(protobuf.Members(peer.Group("room")))} {
					sent, failed := to.Said(&chat.Line{Text: "news"}, erpc.WithBodyCodec(body))
					if sent != 1 || len(failed) > 0 || receive(t, m.said) != "news" {
						t.Errorf("broadcast to %d, failed %v", sent, failed)
					}
				}
			})
		}
	}
}

func TestStreams(t *testing.T) {
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			_, _, _, cli := pair(t, protocol)
			client := chaterpc.NewChatClient(cli)
			if name == "http" {
				_, err := client.Talk(t.Context())
				if !errors.Is(err, erpc.ErrNoStreams) {
					t.Errorf("a stream between peers over HTTP: %v", err)
				}
				return
			}
			for room, code := range map[string]int32{"a": 0, "fail": 1002} {
				var got []int64
				var last error
				for line, err := range client.Watch(t.Context(), &chat.WatchRequest{Room: room, Since: 3}) {
					if last = err; err == nil {
						got = append(got, line.Number)
					}
				}
				if fmt.Sprint(got) != "[0 1 2]" || erpc.StatusFromError(last).Code() != code {
					t.Errorf("Watch %s: %v, %v", room, got, last)
				}
			}
			in, err := client.Import(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				if err := in.Send(&chat.Line{Text: "x"}); err != nil {
					t.Fatal(err)
				}
			}
			count, err := in.CloseAndRecv()
			if err != nil || count.Lines != 4 {
				t.Errorf("Import: %v, %v", count, err)
			}
			talk, err := client.Talk(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer talk.Close()
			for n := range int64(3) {
				if err := talk.Send(&chat.Line{Number: n, Text: "hi"}); err != nil {
					t.Fatal(err)
				}
				answer, err := talk.Recv()
				if err != nil || answer.Number != n+1 || answer.Text != "re: hi" {
					t.Errorf("Talk: %v, %v", answer, err)
				}
			}
			if err := talk.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if _, err := talk.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("Talk ended with %v", err)
			}
		})
	}
}

// What either side of a stream may get wrong is an error that says so.
func TestMistakesOfStreams(t *testing.T) {
	_, _, _, cli := pair(t, nil)
	s, err := erpc.OpenStream[chat.WatchRequest, chat.Line](t.Context(), cli, chaterpc.Chat_Watch_Method)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CloseAndRecv(); erpc.StatusFromError(err).Code() != erpc.CodeBadMessage {
		t.Errorf("a stream without its message: %v", err)
	}
	in, err := chaterpc.NewChatClient(cli).Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Send(&chat.Line{}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.CloseAndRecv(); erpc.StatusFromError(err).Code() != erpc.CodeInternalServerError {
		t.Errorf("a handler that returned nothing: %v", err)
	}
}

// Any HTTP client can call the methods, with GET those that change nothing.
func TestHTTPClients(t *testing.T) {
	p := erpc.NewPeer(erpc.PeerConfig{})
	defer p.Close()
	chaterpc.RegisterChat(p, &server{})
	web := httptest.NewServer(erpc.HTTPHandler(p, erpc.HTTPConfig{}))
	defer web.Close()
	body, err := proto.Marshal(&chat.SayRequest{Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(web.URL+chaterpc.Chat_Say_Method, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	var reply chat.SayReply
	if err := proto.Unmarshal(answer, &reply); err != nil || reply.Number != 5 {
		t.Errorf("%s: %q, %v, %v", res.Status, answer, &reply, err)
	}
	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{chaterpc.Chat_Last_Method + "?room=a&since=7", 200, `{"number":7,"text":"a"}`},
		{chaterpc.Chat_Watch_Method + "?room=a&since=2", 200, "{\"text\":\"a\"}\n{\"number\":1,\"text\":\"a\"}\n"},
		{chaterpc.Chat_Say_Method + "?text=a", 405, ""},
		{chaterpc.Chat_Clear_Method + "?room=a", 405, ""},
	} {
		res, err := http.Get(web.URL + c.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != c.code || c.body != "" && string(got) != c.body {
			t.Errorf("GET %s: %s, %s, %v", c.path, res.Status, got, err)
		}
	}
}

// flaky fails the first call of each method as if the connection was lost.
type flaky struct {
	to    erpc.Session
	calls map[string]int
}

func (f *flaky) Call(method string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	f.calls[method]++
	if f.calls[method] == 1 {
		return erpc.NewFakeCallCmd(method, arg, result, erpc.NewStatusByCodeText(erpc.CodeConnClosed, "lost", false))
	}
	return f.to.Call(method, arg, result, setting...)
}

// plugin/retry is a caller, and repeats the methods that the .proto file marks as
// safe. What a caller does not support is an error.
func TestRetry(t *testing.T) {
	_, _, _, cli := pair(t, nil)
	r := retry.New(retry.Config{Backoff: time.Millisecond, Retryable: func(method string, st *erpc.Status) bool {
		return chaterpc.ChatRepeatable(method) && erpc.IsConnError(st)
	}})
	client := chaterpc.NewChatClient(r.On(&flaky{cli, map[string]int{}}))
	if line, err := client.Last(t.Context(), &chat.WatchRequest{Since: 1}); err != nil || line.Number != 1 {
		t.Errorf("a method that may be repeated: %v, %v", line, err)
	}
	if _, err := client.Say(t.Context(), &chat.SayRequest{Text: "a"}); !erpc.IsConnError(erpc.StatusFromError(err)) {
		t.Errorf("one that may not: %v", err)
	}
	invalid := func(err error) bool { return erpc.StatusFromError(err).Code() == erpc.CodeInvalidOp }
	if err := client.Typing(t.Context(), &chat.TypingNotice{}); !invalid(err) {
		t.Errorf("push through a target of retries: %v", err)
	}
	if _, err := client.Talk(t.Context()); !invalid(err) {
		t.Errorf("stream: %v", err)
	}
	for _, err := range client.Watch(t.Context(), &chat.WatchRequest{}) {
		if !invalid(err) {
			t.Errorf("subscription: %v", err)
		}
	}
}

type echo struct {
	samepackage.UnimplementedPingerHandler
}

func (echo) Echo(_ context.Context, in *samepackage.Ping) (*samepackage.Ping, error) { return in, nil }

// Code in the package of the messages works the same way, and a fake answers it.
func TestSamePackageAndFake(t *testing.T) {
	_, cli := erpctest.Pair(t, func(p erpc.Peer) { samepackage.RegisterPinger(p, echo{}) }, nil)
	var fake erpctest.Fake
	erpctest.Answer(&fake, samepackage.Pinger_Echo_Method, echo{}.Echo)
	for _, to := range []erpc.Caller{cli, &fake} {
		pong, err := samepackage.NewPingerClient(to).Echo(t.Context(), &samepackage.Ping{Text: "hi"})
		if err != nil || pong.Text != "hi" {
			t.Errorf("%T: %v, %v", to, pong, err)
		}
	}
}
