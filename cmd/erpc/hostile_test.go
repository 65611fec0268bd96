package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/reflect"
	"github.com/goerpc/erpc/plugin/stats"
)

// A peer may claim anything about itself. What a command prints of it does not
// control the terminal, adds no lines of its own, and is bounded.
func TestHostilePeerIsHarmless(t *testing.T) {
	const evil = "/\x1b]0;title\x07\x1b[2J<script>alert(1)</script>\r\n\u202e\u009bm\t\x00"
	schema := &reflect.Schema{Ref: "#/$defs/" + evil, Description: evil, Defs: map[string]*reflect.Schema{
		evil: {Type: "object", Properties: map[string]*reflect.Schema{evil: {Ref: "#/$defs/" + evil}, "other": {Ref: "#/$defs/" + evil}, "text": {Enum: []string{evil}}}},
	}}
	method := reflect.Method{Name: evil, Kind: evil, Doc: evil, Shape: evil, Arg: evil, Result: evil}
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		erpc.HandleCall(p, reflect.ListMethod, func(context.Context, *reflect.ListArg) (*reflect.List, error) {
			call := method
			call.Kind = reflect.Call
			return &reflect.List{Methods: []reflect.Method{method, call}}, nil
		})
		erpc.HandleCall(p, reflect.DescribeMethod, func(context.Context, *reflect.DescribeArg) (*reflect.Descriptions, error) {
			d := reflect.Description{Method: method, ArgSchema: schema, ResultSchema: schema}
			call := d
			call.Kind = reflect.Call
			return &reflect.Descriptions{Methods: []reflect.Description{d, call}}, nil
		})
		erpc.HandleCall(p, stats.ReadMethod, func(context.Context, *struct{}) (*stats.Reading, error) {
			return &stats.Reading{Time: time.Now(), Uptime: time.Hour, Methods: []stats.MethodReading{{Name: evil, Kind: evil}}}, nil
		})
		erpc.HandleCall(p, "/fail", func(ctx context.Context, _ *struct{}) (*int, error) {
			erpc.CallCtxFrom(ctx).SetMeta(evil, evil)
			return nil, erpc.NewStatus(1234, evil, evil).Err()
		})
		erpc.HandleCall(p, "/join", func(ctx context.Context, _ *struct{}) (*int, error) {
			return new(int), erpc.CallCtxFrom(ctx).Session().Push(evil, evil, erpc.WithAddMeta(evil, evil)).Err()
		})
		erpc.HandleStream(p, "/stream", func(_ context.Context, s *erpc.Stream[int, string]) error {
			text := evil
			if err := s.Send(&text); err != nil {
				return err
			}
			return erpc.NewStatus(1234, evil, evil).Err()
		})
	})
	for _, c := range []struct {
		args  []string
		lines int // on both outputs; 0: any number
	}{
		{[]string{"list", addr}, 2},
		{[]string{"list", "-o", "json", addr}, 2},
		{[]string{"describe", addr, "/x"}, 0},
		{[]string{"describe", "-template", addr, "/x"}, 0},
		{[]string{"types", addr}, 0},
		{[]string{"top", "-count", "1", "-interval", "1ms", addr}, 4},
		{[]string{"top", "-count", "1", "-interval", "1ms", "-o", "json", addr}, 1},
		{[]string{"call", "-v", addr, "/fail"}, 0},
		{[]string{"call", addr, "/fail"}, 1},
		{[]string{"listen", "-count", "1", "-join", "/join", addr}, 1},
		{[]string{"stream", addr, "/stream"}, 2},
		{[]string{completeCommand, "call", addr, "/"}, 0},
	} {
		_, out, errs := erpcRun(t, "", c.args...)
		text := out + errs
		for _, r := range text {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x202e || r == 0x9b || r == 0x7f {
				t.Errorf("%q prints the character %U: %q", c.args, r, text)
				break
			}
		}
		if n := strings.Count(text, "\n"); c.lines > 0 && n != c.lines || len(text) > 1<<20 {
			t.Errorf("%q prints %d lines, want %d: %q", c.args, n, c.lines, text)
		}
		if c.args[0] == completeCommand && text != "" {
			t.Errorf("the shell is offered %q", text)
		}
	}
}

// A list of 100,000 methods is printed within seconds.
func TestManyMethods(t *testing.T) {
	const many = 100_000
	list := &reflect.List{}
	for i := range many {
		list.Methods = append(list.Methods, reflect.Method{Name: fmt.Sprintf("/m/%d", i), Kind: reflect.Call})
	}
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		erpc.HandleCall(p, reflect.ListMethod, func(context.Context, *reflect.ListArg) (*reflect.List, error) { return list, nil })
	})
	code, out, errs := erpcRun(t, "", "list", "-o", "json", addr)
	if code != exitOK || strings.Count(out, "\n") != many || errs != "" {
		t.Errorf("exit %d, %d lines, %s", code, strings.Count(out, "\n"), errs)
	}
	var last reflect.Method
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Name != "/m/99999" {
		t.Errorf("the last is %+v, %v", last, err)
	}
}
