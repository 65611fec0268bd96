package erpc_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"reflect"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
)

// This file holds the promise to programs written against erpc v7: every public
// name of the root package that they use, in the shape in which they use it.
// Most of it need only compile.

type (
	apiRoutes interface {
		SubRoute(pathPrefix string, plugin ...erpc.Plugin) *erpc.SubRouter
		RouteCall(ctrlStructOrPoolFunc any, plugin ...erpc.Plugin) []string
		RouteCallFunc(callHandleFunc any, plugin ...erpc.Plugin) string
		RoutePush(ctrlStructOrPoolFunc any, plugin ...erpc.Plugin) []string
		RoutePushFunc(pushHandleFunc any, plugin ...erpc.Plugin) string
	}
	apiRouter interface {
		apiRoutes
		SetUnknownCall(fn func(erpc.UnknownCallCtx) (any, *erpc.Status), plugin ...erpc.Plugin)
		SetUnknownPush(fn func(erpc.UnknownPushCtx) *erpc.Status, plugin ...erpc.Plugin)
	}
	apiPeer interface {
		apiRouter
		ListenAndServe(protoFunc ...erpc.ProtoFunc) error
		Dial(addr string, protoFunc ...erpc.ProtoFunc) (erpc.Session, *erpc.Status)
		ServeConn(conn net.Conn, protoFunc ...erpc.ProtoFunc) (erpc.Session, *erpc.Status)
		Close() error
		CountSession() int
		GetSession(id string) (erpc.Session, bool)
		RangeSession(fn func(sess erpc.Session) bool)
		SetTLSConfig(*tls.Config)
		SetTLSConfigFromFile(cert, key string, insecureSkipVerifyForClient ...bool) error
		TLSConfig() *tls.Config
		PluginContainer() *erpc.PluginContainer
		Router() *erpc.Router
	}
	apiEarlyPeer interface {
		apiRouter
		Close() error
		PluginContainer() *erpc.PluginContainer
		Router() *erpc.Router
		RangeSession(fn func(sess erpc.Session) bool)
	}
	apiContainer interface {
		AppendLeft(plugins ...erpc.Plugin)
		AppendRight(plugins ...erpc.Plugin)
		Remove(pluginName string) error
		GetAll() []erpc.Plugin
		GetByName(pluginName string) erpc.Plugin
	}
	apiAges interface {
		SessionAge() time.Duration
		ContextAge() time.Duration
		SetSessionAge(time.Duration)
		SetContextAge(time.Duration)
	}
	apiBaseSession interface {
		ID() string
		LocalAddr() net.Addr
		RemoteAddr() net.Addr
		Swap() erpc.Map
		erpc.Logger
	}
	apiSession interface {
		apiBaseSession
		apiAges
		SetID(string)
		Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd
		AsyncCall(serviceMethod string, arg, result any, done chan<- erpc.CallCmd, setting ...erpc.MessageSetting) erpc.CallCmd
		Push(serviceMethod string, arg any, setting ...erpc.MessageSetting) *erpc.Status
		Health() bool
		CloseNotify() <-chan struct{}
		Close() error
	}
	apiPreSession interface {
		apiBaseSession
		apiAges
		SetID(string)
		Close() error
		PreSend(mtype byte, serviceMethod string, body any, stat *erpc.Status, setting ...erpc.MessageSetting) *erpc.Status
		PreReceive(newArgs erpc.NewBodyFunc, ctx ...context.Context) erpc.Message
		PreCall(serviceMethod string, arg, reply any, setting ...erpc.MessageSetting) *erpc.Status
		PreReply(req erpc.Message, body any, stat *erpc.Status, setting ...erpc.MessageSetting) *erpc.Status
		RawPush(serviceMethod string, arg any, setting ...erpc.MessageSetting) *erpc.Status
		ModifySocket(func(conn net.Conn) (modifiedConn net.Conn, newProtoFunc erpc.ProtoFunc))
		GetProtoFunc() erpc.ProtoFunc
		ControlFD(func(fd uintptr)) error
	}
	apiCallCmd interface {
		Done() <-chan struct{}
		Status() *erpc.Status
		StatusOK() bool
		Reply() (any, *erpc.Status)
		Output() erpc.Message
		Context() context.Context
		InputBodyCodec() byte
		InputMeta() *erpc.Meta
		CostTime() time.Duration
	}
	apiStatus interface {
		OK() bool
		Code() int32
		Msg() string
		Cause() error
		String() string
		json.Marshaler
		json.Unmarshaler
		Copy(newCause ...any) *erpc.Status
		SetCode(int32) *erpc.Status
		SetMsg(string) *erpc.Status
		SetCause(any) *erpc.Status
		HideCause() *erpc.Status
		CauseHidden() bool
	}
	apiMap interface {
		Load(key any) (value any, ok bool)
		Store(key, value any)
		Delete(key any)
		LoadOrStore(key, value any) (actual any, loaded bool)
		Range(f func(key, value any) bool)
		Len() int
	}
	apiPreCtx interface {
		Session() erpc.CtxSession
		IP() string
		RealIP() string
		Swap() erpc.Map
		Context() context.Context
		erpc.Logger
	}
	apiInputCtx interface {
		apiPreCtx
		Seq() int32
		PeekMeta(key string) []byte
		VisitMeta(f func(key, value []byte))
		CopyMeta() *erpc.Meta
		ServiceMethod() string
		ResetServiceMethod(string)
	}
	apiOutcome interface {
		Status() *erpc.Status
		StatusOK() bool
	}
	apiReadCtx interface {
		apiInputCtx
		apiOutcome
		Input() erpc.Message
	}
	apiWriteCtx interface {
		apiPreCtx
		apiOutcome
		Output() erpc.Message
	}
	apiPushCtx interface {
		apiInputCtx
		GetBodyCodec() byte
	}
	apiAnswer interface {
		SetBodyCodec(byte)
		AddMeta(key, value string)
		SetMeta(key, value string)
		AddXferPipe(filterID ...byte)
	}
	apiCallCtx interface {
		apiPushCtx
		apiAnswer
		Input() erpc.Message
		Output() erpc.Message
		ReplyBodyCodec() byte
	}
	apiUnknownPushCtx interface {
		apiPushCtx
		InputBodyBytes() []byte
		Bind(v any) (bodyCodec byte, err error)
	}
	apiUnknownCallCtx interface {
		apiUnknownPushCtx
		apiAnswer
	}
	apiHeader interface {
		apiOutcome
		Seq() int32
		Mtype() byte
		ServiceMethod() string
		Meta() *erpc.Meta
		SetStatus(*erpc.Status)
		SetServiceMethod(string)
	}
	apiMessage interface {
		apiHeader
		BodyCodec() byte
		SetBodyCodec(byte)
		Body() any
		SetBody(any)
		MarshalBody() ([]byte, error)
		UnmarshalBody([]byte) error
		XferPipe() *xfer.XferPipe
		Size() uint32
		Context() context.Context
		String() string
	}
	apiHandler interface {
		Name() string
		ArgElemType() reflect.Type
		ReplyType() reflect.Type
		IsCall() bool
		IsPush() bool
		IsUnknown() bool
		RouterTypeName() string
	}
	apiListenerAddress interface {
		erpc.PostListenPlugin
		Addr() net.Addr
		Host() string
		Port() string
		String() string
	}
	apiLogger interface {
		Printf(format string, args ...any)
		Tracef(format string, args ...any)
		Debugf(format string, args ...any)
		Infof(format string, args ...any)
		Noticef(format string, args ...any)
		Warnf(format string, args ...any)
		Errorf(format string, args ...any)
		Criticalf(format string, args ...any)
		Panicf(format string, args ...any)
		Fatalf(format string, args ...any)
	}
	apiXferPipe interface {
		Append(filterID ...byte) error
		Len() int
		IDs() []byte
		Names() []string
		Range(func(idx int, filter xfer.XferFilter) bool)
		OnPack([]byte) ([]byte, error)
		OnUnpack([]byte) ([]byte, error)
	}
)

// What the types can do.
var (
	_ apiPeer            = erpc.Peer(nil)
	_ apiEarlyPeer       = erpc.EarlyPeer(nil)
	_ apiRouter          = (*erpc.Router)(nil)
	_ apiRoutes          = (*erpc.SubRouter)(nil)
	_ apiContainer       = (*erpc.PluginContainer)(nil)
	_ apiSession         = erpc.Session(nil)
	_ apiPreSession      = erpc.PreSession(nil)
	_ apiBaseSession     = erpc.BaseSession(nil)
	_ apiCallCmd         = erpc.CallCmd(nil)
	_ apiStatus          = (*erpc.Status)(nil)
	_ apiMap             = erpc.Map(nil)
	_ apiPreCtx          = erpc.PreCtx(nil)
	_ apiReadCtx         = erpc.ReadCtx(nil)
	_ apiWriteCtx        = erpc.WriteCtx(nil)
	_ apiPushCtx         = erpc.PushCtx(nil)
	_ apiCallCtx         = erpc.CallCtx(nil)
	_ apiUnknownPushCtx  = erpc.UnknownPushCtx(nil)
	_ apiUnknownCallCtx  = erpc.UnknownCallCtx(nil)
	_ apiMessage         = erpc.Message(nil)
	_ apiHeader          = erpc.Header(nil)
	_ apiHandler         = (*erpc.Handler)(nil)
	_ apiListenerAddress = (*erpc.ListenerAddress)(nil)
	_ apiLogger          = erpc.Logger(nil)
	_ apiXferPipe        = (*xfer.XferPipe)(nil)
	_ net.Addr           = (*erpc.FakeAddr)(nil)
)

// The functions.
var (
	_ func(erpc.PeerConfig, ...erpc.Plugin) erpc.Peer                     = erpc.NewPeer
	_ func(*erpc.PeerConfig) net.Addr                                     = (*erpc.PeerConfig).ListenAddr
	_ func(int32, string, ...any) *erpc.Status                            = erpc.NewStatus
	_ func(int32, string, ...any) *erpc.Status                            = erpc.NewStatusWithStack
	_ func(int32, any, bool) *erpc.Status                                 = erpc.NewStatusByCodeText
	_ func(int32) string                                                  = erpc.CodeText
	_ func(*erpc.Status) bool                                             = erpc.IsConnError
	_ func(byte) string                                                   = erpc.TypeText
	_ func(...erpc.MessageSetting) erpc.Message                           = erpc.NewMessage
	_ func(string, string) erpc.MessageSetting                            = erpc.WithAddMeta
	_ func(string, string) erpc.MessageSetting                            = erpc.WithSetMeta
	_ func(string) erpc.MessageSetting                                    = erpc.WithDelMeta
	_ func(byte) erpc.MessageSetting                                      = erpc.WithBodyCodec
	_ func(byte) erpc.MessageSetting                                      = erpc.WithAcceptBodyCodec
	_ func(...byte) erpc.MessageSetting                                   = erpc.WithXferPipe
	_ func(context.Context) erpc.MessageSetting                           = erpc.WithContext
	_ func(string) erpc.MessageSetting                                    = erpc.WithRealIP
	_ func(any) erpc.MessageSetting                                       = erpc.WithBody
	_ func(erpc.NewBodyFunc) erpc.MessageSetting                          = erpc.WithNewBody
	_ func(*erpc.Status) erpc.MessageSetting                              = erpc.WithStatus
	_ func(string) erpc.MessageSetting                                    = erpc.WithServiceMethod
	_ func() erpc.MessageSetting                                          = erpc.WithNothing
	_ func(prefix, name string) string                                    = erpc.HTTPServiceMethodMapper
	_ func(prefix, name string) string                                    = erpc.RPCServiceMethodMapper
	_ func(erpc.ServiceMethodMapper)                                      = erpc.SetServiceMethodMapper
	_ func() erpc.ProtoFunc                                               = erpc.DefaultProtoFunc
	_ func(erpc.ProtoFunc)                                                = erpc.SetDefaultProtoFunc
	_ func() erpc.Codec                                                   = erpc.DefaultBodyCodec
	_ func(byte) error                                                    = erpc.SetDefaultBodyCodec
	_ func() uint32                                                       = erpc.GetReadLimit
	_ func(uint32)                                                        = erpc.SetReadLimit
	_ func(uint32)                                                        = erpc.SetMessageSizeLimit
	_ func(bool)                                                          = erpc.SetSocketKeepAlive
	_ func(time.Duration)                                                 = erpc.SetSocketKeepAlivePeriod
	_ func(bool)                                                          = erpc.SetSocketNoDelay
	_ func(int)                                                           = erpc.SetSocketReadBuffer
	_ func(int)                                                           = erpc.SetSocketWriteBuffer
	_ func(int, time.Duration)                                            = erpc.SetGopool
	_ func(func()) bool                                                   = erpc.Go
	_ func() *tls.Config                                                  = erpc.GenerateTLSConfigForServer
	_ func() *tls.Config                                                  = erpc.GenerateTLSConfigForClient
	_ func(cert, key string, insecure ...bool) (*tls.Config, error)       = erpc.NewTLSConfigFromFile
	_ func(network, host, port string) *erpc.FakeAddr                     = erpc.NewFakeAddr
	_ func(network, addr string) (*erpc.FakeAddr, error)                  = erpc.NewFakeAddr2
	_ func()                                                              = erpc.GraceSignal
	_ func(timeout time.Duration, firstSweep, beforeExiting func() error) = erpc.SetShutdown
	_ func(string) func() error                                           = erpc.SetLoggerLevel
	_ func() error                                                        = erpc.FlushLogger
	_ func(slog.Handler, func() error) func() error                       = erpc.SetLoggerOutputter
	_ func() erpc.Logger                                                  = erpc.GetLogger
	_ func(string, ...any)                                                = erpc.Printf
	_ func(string, ...any)                                                = erpc.Tracef
	_ func(string, ...any)                                                = erpc.Debugf
	_ func(string, ...any)                                                = erpc.Infof
	_ func(string, ...any)                                                = erpc.Noticef
	_ func(string, ...any)                                                = erpc.Warnf
	_ func(string, ...any)                                                = erpc.Errorf
	_ func(string, ...any)                                                = erpc.Criticalf
	_ func(string, ...any)                                                = erpc.Panicf
	_ func(string, ...any)                                                = erpc.Fatalf
	_ func() erpc.ProtoFunc                                               = rawproto.NewRawProtoFunc
	_ func(byte) (codec.Codec, error)                                     = codec.Get
	_ func(string) (codec.Codec, error)                                   = codec.GetByName
	_ func(codec.Codec)                                                   = codec.Reg
	_ func(xfer.XferFilter)                                               = xfer.Reg
	_ func(byte) (xfer.XferFilter, error)                                 = xfer.Get
	_ func(string) (xfer.XferFilter, error)                               = xfer.GetByName
	_ func() *xfer.XferPipe                                               = xfer.NewXferPipe
	_ func(id byte, name string, level int)                               = gzip.Reg
	_ func(id byte, name string)                                          = md5.Reg
)

// Our own additions.
var (
	_ func(string, string, any) error                                                          = erpc.LoadConfig
	_ func(string, string, any) error                                                          = erpc.WriteDefaultConfig
	_ func([]erpc.Session, string, any, ...erpc.MessageSetting) (int, map[string]*erpc.Status) = erpc.BroadcastTo
	_ func(erpc.Peer, string, any, ...erpc.MessageSetting) (int, map[string]*erpc.Status)      = erpc.Peer.Broadcast
	_ func(erpc.Peer, context.Context) error                                                   = erpc.Peer.Shutdown
	_ func(context.Context) erpc.CallCtx                                                       = erpc.CallCtxFrom
	_ func(context.Context) erpc.PushCtx                                                       = erpc.PushCtxFrom
	_ func(error) *erpc.Status                                                                 = erpc.StatusFromError
)

// Statements; some of these functions return more than they did in v7.
var _ = func() {
	go erpc.GraceSignal()
	erpc.Shutdown()
	erpc.Shutdown(time.Second)
	erpc.Reboot()
	erpc.Reboot(time.Second)
	defer erpc.FlushLogger()
	defer erpc.SetLoggerLevel("ERROR")()
	erpc.SetLoggerLevel("OFF")
}

// Types that programs name.
var (
	_ erpc.CtrlStructPtr = new(struct{ erpc.CallCtx })
	_ erpc.CtrlPoolFunc  = func() erpc.CtrlStructPtr { return nil }
	_ erpc.NewBodyFunc   = func(erpc.Header) any { return nil }
	_ erpc.PeerConfig    = erpc.PeerConfig{
		Network: "tcp", LocalIP: "", LocalPort: uint16(0), ListenPort: uint16(0),
		DialTimeout: time.Second, RedialInterval: time.Second, DefaultSessionAge: time.Second,
		DefaultContextAge: time.Second, SlowCometDuration: time.Second,
		RedialTimes: int32(-1), DefaultBodyCodec: "json", PrintDetail: true, CountTime: true,
	}
	_ erpc.Plugin = &erpc.PluginImpl{
		PluginName:            "p",
		OnPreNewPeer:          func(*erpc.PeerConfig, *erpc.PluginContainer) error { return nil },
		OnPostNewPeer:         func(erpc.EarlyPeer) error { return nil },
		OnPostReg:             func(*erpc.Handler) error { return nil },
		OnPostListen:          func(net.Addr) error { return nil },
		OnPreDial:             func(net.Addr, string) *erpc.Status { return nil },
		OnPostDial:            func(erpc.PreSession, bool) *erpc.Status { return nil },
		OnPostAccept:          func(erpc.PreSession) *erpc.Status { return nil },
		OnPreWriteCall:        func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPostWriteCall:       func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPreWriteReply:       func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPostWriteReply:      func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPreWritePush:        func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPostWritePush:       func(erpc.WriteCtx) *erpc.Status { return nil },
		OnPreReadHeader:       func(erpc.PreCtx) error { return nil },
		OnPostReadCallHeader:  func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPreReadCallBody:     func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostReadCallBody:    func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostReadPushHeader:  func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPreReadPushBody:     func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostReadPushBody:    func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostReadReplyHeader: func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPreReadReplyBody:    func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostReadReplyBody:   func(erpc.ReadCtx) *erpc.Status { return nil },
		OnPostDisconnect:      func(erpc.BaseSession) *erpc.Status { return nil },
	}
	_ interface {
		erpc.PreNewPeerPlugin
		erpc.PostNewPeerPlugin
		erpc.PostRegPlugin
		erpc.PostListenPlugin
		erpc.PreDialPlugin
		erpc.PostDialPlugin
		erpc.PostAcceptPlugin
		erpc.PreWriteCallPlugin
		erpc.PostWriteCallPlugin
		erpc.PreWriteReplyPlugin
		erpc.PostWriteReplyPlugin
		erpc.PreWritePushPlugin
		erpc.PostWritePushPlugin
		erpc.PreReadHeaderPlugin
		erpc.PostReadCallHeaderPlugin
		erpc.PreReadCallBodyPlugin
		erpc.PostReadCallBodyPlugin
		erpc.PostReadPushHeaderPlugin
		erpc.PreReadPushBodyPlugin
		erpc.PostReadPushBodyPlugin
		erpc.PostReadReplyHeaderPlugin
		erpc.PreReadReplyBodyPlugin
		erpc.PostReadReplyBodyPlugin
		erpc.PostDisconnectPlugin
	} = (*erpc.PluginImpl)(nil)
)
