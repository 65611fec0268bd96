package main

import (
	"flag"
	"reflect"
	"slices"
	"strings"

	"github.com/goerpc/erpc/codec"
)

// given are the names of the flags on a command line that ask for something.
type given []string

func givenOf(fs *flag.FlagSet) (g given) {
	fs.Visit(func(f *flag.Flag) {
		if !off(f) {
			g = append(g, f.Name)
		}
	})
	return g
}

// off reports whether a flag has the zero value of its type, as -insecure=false and
// -ca "" have. Such a flag asks for nothing; it may switch a saved one off.
func off(f *flag.Flag) bool {
	v, ok := f.Value.(flag.Getter)
	return ok && reflect.ValueOf(v.Get()).IsZero()
}

// first returns the first of names that was given, "" if none was.
func (g given) first(names ...string) string {
	for _, name := range names {
		if slices.Contains(g, name) {
			return name
		}
	}
	return ""
}

// Flags by what they are for.
var (
	tlsFlags        = []string{"ca", "cert", "key", "servername", "insecure"}
	connectionNames = append([]string{"timeout", "auth", "v", "H"}, tlsFlags...)
)

// check refuses flags that would have no effect: whoever gives one believes that it
// has. Saved ones are not looked at: they are for several commands.
func (c command) check(o *options, g given, args []string) error {
	if err := c.inFront(args); err != nil {
		return err
	}
	if name := g.first(connectionNames...); name != "" && c.target == mayDial && o.schemas() {
		return usagef("-%s is for a connection, and with -proto or -protoset there is none", name)
	}
	if err := o.checkTLS(c, g, args); err != nil {
		return err
	}
	if err := o.checkTypes(c, g); err != nil {
		return err
	}
	if o.count < 0 {
		return usagef("-count must not be negative")
	}
	switch c.name {
	case "listen":
		if g.first("H") != "" && o.listen.join == "" {
			return usagef("-H is for the call of -join")
		}
	case "serve":
		return o.serve.check(g)
	case "bench":
		if name := g.first("conns", "c"); name != "" && o.bench.broadcast.subscribers > 0 {
			return usagef("-%s does not go with -subscribers: one connection causes the pushes, and each subscriber has one of its own", name)
		}
	}
	return nil
}

// inFront refuses flags behind the target, which would be taken for names of methods.
// JSON there may begin with a dash.
func (c command) inFront(args []string) error {
	if c.words(2) == "[JSON]" {
		args = args[:min(len(args), 2)]
	}
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			return usagef("%q stands behind the target; put flags in front of it", a)
		}
	}
	return nil
}

// words returns what argument i of the command is, as its usage names it, "" if there
// is none.
func (c command) words(i int) string {
	words := strings.Fields(c.args)
	if n := len(words); n > 0 && i >= n && strings.HasSuffix(words[n-1], "...") {
		i = n - 1
	}
	if i >= len(words) {
		return ""
	}
	return strings.TrimSuffix(words[i], "...")
}

// checkTLS refuses flags of TLS for a target without it.
func (o *options) checkTLS(c command, g given, args []string) error {
	name := g.first(tlsFlags...)
	if name == "" || len(args) == 0 {
		return nil
	}
	if o.insecure && g.first("ca") != "" {
		return usagef("-insecure verifies nothing, so -ca has no use beside it; if the saved target has -insecure, add -insecure=false")
	}
	t, err := parseTarget(args[0])
	if err != nil {
		return err
	}
	if !t.tls {
		return usagef("-%s is for TLS, which %s is without; write tls://, https://, wss:// or quic://", name, args[0])
	}
	return nil
}

// checkTypes refuses flags of codecs and types that nothing would be encoded with.
func (o *options) checkTypes(c command, g given) error {
	types := g.first("proto", "protoset")
	switch {
	case g.first("I") != "" && len(o.protos) == 0:
		return usagef("-I is for -proto")
	case c.name == "stream" && o.raw && g.first("codec", "proto", "protoset") != "":
		return usagef("-raw sends bytes as they are, so -%s has no use beside it", g.first("codec", "proto", "protoset"))
	case types != "" && o.codec != "" && o.codec != codec.NAME_PROTOBUF:
		return usagef("-%s is for -codec protobuf, and the codec is %s", types, o.codec)
	case c.name == "describe" && g.first("codec") != "" && o.codec != codec.NAME_JSON && o.codec != codec.NAME_PROTOBUF:
		return usagef("-codec of describe is json or protobuf")
	}
	return nil
}

// check refuses flags of rules that have no rule to apply to.
func (s *serveOptions) check(g given) error {
	if name := g.first("delay", "jitter", "error-rate"); name != "" && s.file == "" && len(s.replies) == 0 {
		return usagef("-%s is for the rules of -f and -reply, and there are none", name)
	}
	if g.first("error") != "" && s.errorRate == 0 {
		return usagef("-error is for -error-rate")
	}
	return nil
}
