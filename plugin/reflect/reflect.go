package reflect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goerpc/erpc"
)

// Methods of the plugin.
const (
	ListMethod     = "/erpc.reflect/list"
	DescribeMethod = "/erpc.reflect/describe"

	ownPrefix = "/erpc.reflect/"
)

// Version is the version of the replies. A later one only adds fields.
const Version = 1

// CodeForbidden is the code of a request that [Config.Allow] refuses.
const CodeForbidden int32 = 403

// maxNames bounds the methods that one call of [DescribeMethod] may name.
const maxNames = 100

// Config configures a [Plugin]. The zero value shows every method to everyone.
type Config struct {
	// Allow reports whether a session may ask; nil means that all may. It must be
	// safe for concurrent use.
	Allow func(sess erpc.Session) bool `yaml:"-" ini:"-"`
	// Hide lists prefixes of methods that are not shown.
	Hide []string `yaml:"hide" ini:"hide" comment:"Prefixes of methods that are not shown"`
	// OpenAPI configures the description for HTTP clients.
	OpenAPI OpenAPI `yaml:"openapi" ini:"openapi" comment:"The description that HTTP clients get"`
}

// Kinds of methods.
const (
	Call   = "call"
	Push   = "push"
	Stream = "stream"
)

// Shapes of streams.
const (
	ServerStream = "server" // one message, many answers
	ClientStream = "client" // many messages, one answer
	BothStream   = "both"   // many of both
)

// ListArg is the argument of [ListMethod].
type ListArg struct {
	Prefix string `json:"prefix,omitempty"` // of the methods to list
}

// A List is the result of [ListMethod].
type List struct {
	Version int      `json:"version"`
	Methods []Method `json:"methods"` // by name
	// AnyCall and AnyPush report that the peer also accepts methods that are not
	// listed.
	AnyCall bool `json:"anyCall,omitempty"`
	AnyPush bool `json:"anyPush,omitempty"`
}

// A Method describes a service method.
type Method struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // Call, Push or Stream
	// Shape says which sides of a stream send many messages. It is only known for
	// services of .proto files.
	Shape string `json:"shape,omitempty"`
	Doc   string `json:"doc,omitempty"`
	Safe  bool   `json:"safe,omitempty"` // read-only; see erpc.Safe
	// Arg and Result name the Go types, for humans. For a stream they are what the
	// handler receives and sends.
	Arg    string `json:"arg,omitempty"`
	Result string `json:"result,omitempty"`
}

// DescribeArg is the argument of [DescribeMethod].
type DescribeArg struct {
	Names []string `json:"names"` // at most 100
}

// Descriptions is the result of [DescribeMethod]. Methods that the peer does
// not have, or hides, are left out.
type Descriptions struct {
	Version int           `json:"version"`
	Methods []Description `json:"methods"`
	// Files is the encoded FileDescriptorSet of the protobuf messages and their
	// imports.
	Files []byte `json:"files,omitempty"`
}

// A Description is a method with its types.
type Description struct {
	Method
	ArgSchema    *Schema `json:"argSchema,omitempty"`
	ResultSchema *Schema `json:"resultSchema,omitempty"`
	// ArgMessage and ResultMessage are the full names of protobuf messages.
	ArgMessage    string `json:"argMessage,omitempty"`
	ResultMessage string `json:"resultMessage,omitempty"`
}

// Plugin is the plugin. All methods may be called concurrently.
type Plugin struct {
	cfg Config

	mu       sync.Mutex // guards the following
	peer     bool       // whether it has a peer
	handlers []*erpc.Handler
	docs     map[*erpc.Handler]string

	openAPI   json.RawMessage // the document for the first openAPIOf handlers
	openAPIOf int
}

var (
	_ erpc.PostNewPeerPlugin = (*Plugin)(nil)
	_ erpc.PostRegPlugin     = (*Plugin)(nil)
)

// New returns the plugin.
func New(cfg Config) *Plugin {
	cfg.Hide = slices.Clone(cfg.Hide)
	cfg.OpenAPI.Servers = slices.Clone(cfg.OpenAPI.Servers)
	return &Plugin{cfg: cfg, docs: map[*erpc.Handler]string{}}
}

// Name returns the name of the plugin.
func (*Plugin) Name() string { return "reflect" }

// PostNewPeer registers the methods of the plugin.
func (p *Plugin) PostNewPeer(peer erpc.EarlyPeer) error {
	p.mu.Lock()
	taken := p.peer
	p.peer = true
	p.mu.Unlock()
	if taken {
		return errors.New("reflect: the plugin serves one peer; make another with New")
	}
	erpc.HandleCall(peer, ListMethod, p.list, erpc.Safe())
	erpc.HandleCall(peer, DescribeMethod, p.describe)
	if !p.cfg.OpenAPI.Off {
		erpc.HandleCall(peer, OpenAPIMethod, p.describeHTTP, erpc.Safe())
	}
	return nil
}

// PostReg remembers a handler.
func (p *Plugin) PostReg(h *erpc.Handler) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers = append(p.handlers, h)
	return nil
}

// Doc returns a plugin for a route, or a group, that gives its methods a line of
// documentation.
func (p *Plugin) Doc(line string) erpc.Plugin { return doc{p, line} }

type doc struct {
	p    *Plugin
	line string
}

// Name returns the name of the plugin.
func (doc) Name() string { return "reflect.Doc" }

// PostReg stores the line.
func (d doc) PostReg(h *erpc.Handler) error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.p.docs[h] = d.line
	return nil
}

// A shown is a handler that is not hidden.
type shown struct {
	Method
	h *erpc.Handler
}

// shown returns the handlers that are not hidden, sorted by name and kind.
func (p *Plugin) shown() []shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []shown
	for _, h := range p.handlers {
		if !h.IsUnknown() && !p.hidden(h.Name()) {
			all = append(all, shown{p.methodLocked(h), h})
		}
	}
	slices.SortFunc(all, func(a, b shown) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
	})
	return all
}

func (p *Plugin) hidden(name string) bool {
	return strings.HasPrefix(name, ownPrefix) || name == OpenAPIMethod && !p.cfg.OpenAPI.Off ||
		slices.ContainsFunc(p.cfg.Hide, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func (p *Plugin) methodLocked(h *erpc.Handler) Method {
	m := Method{Name: h.Name(), Kind: Call, Doc: p.docs[h], Safe: h.Safe(), Arg: typeName(h.ArgElemType()), Result: typeName(h.ReplyType())}
	switch {
	case h.IsPush():
		m.Kind = Push
	case h.IsStream():
		m.Kind, m.Shape = Stream, shapeOf(h)
	}
	return m
}

// takesAny reports whether the peer has handlers of unknown calls and pushes.
func (p *Plugin) takesAny() (call, push bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.handlers {
		call = call || h.IsUnknown() && h.IsCall()
		push = push || h.IsUnknown() && h.IsPush()
	}
	return call, push
}

// allowed returns an error if the caller may not ask.
func (p *Plugin) allowed(ctx context.Context) error {
	if p.cfg.Allow == nil || p.cfg.Allow(erpc.CallCtxFrom(ctx).Session()) {
		return nil
	}
	return erpc.NewStatus(CodeForbidden, "Forbidden", "reflect: this session may not ask for methods").Err()
}

func (p *Plugin) list(ctx context.Context, arg *ListArg) (*List, error) {
	if err := p.allowed(ctx); err != nil {
		return nil, err
	}
	l := &List{Version: Version, Methods: []Method{}}
	l.AnyCall, l.AnyPush = p.takesAny()
	for _, s := range p.shown() {
		if strings.HasPrefix(s.Name, arg.Prefix) {
			l.Methods = append(l.Methods, s.Method)
		}
	}
	return l, nil
}

func (p *Plugin) describe(ctx context.Context, arg *DescribeArg) (*Descriptions, error) {
	if err := p.allowed(ctx); err != nil {
		return nil, err
	}
	if len(arg.Names) > maxNames {
		return nil, erpc.NewStatusByCodeText(erpc.CodeBadMessage, fmt.Errorf("reflect: %d names in one call; at most %d are described", len(arg.Names), maxNames), false).Err()
	}
	d := &Descriptions{Version: Version, Methods: []Description{}}
	var files fileSet
	for _, s := range p.shown() {
		if !slices.Contains(arg.Names, s.Name) {
			continue
		}
		about := Description{Method: s.Method}
		about.ArgMessage = files.add(s.h.ArgElemType())
		about.ResultMessage = files.add(s.h.ReplyType())
		about.ArgSchema = SchemaOf(s.h.ArgElemType(), false)
		about.ResultSchema = SchemaOf(s.h.ReplyType(), true)
		d.Methods = append(d.Methods, about)
	}
	var err error
	d.Files, err = files.encode()
	if err != nil {
		return nil, fmt.Errorf("reflect: descriptors: %w", err)
	}
	return d, nil
}
