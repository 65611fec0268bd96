// Package erpc is a symmetric peer-to-peer RPC framework. One [Peer] is server
// and client at once; over each connection both ends may CALL, which gets a
// reply, and PUSH, which does not.
//
// # What a new program needs
//
//	NewPeer, PeerConfig, ErrClosed                 a peer: listen, dial, or both
//	HandleCall, HandlePush, HandleStream           typed handlers
//	Call, CallValue, CallMeta, Method              typed calls
//	OpenStream, NewBatch, BroadcastTo              streams; many calls in one write; many receivers
//	NewStatus, StatusFromError, StatusError        errors with a code that travel
//	WithContext, WithTimeout, WithSetMeta, WithBodyCodec   settings of one message
//	Plugin, PluginImpl and the interfaces of hooks what runs around calls and sessions
//	CallCtxFrom, PushCtxFrom                       the caller, in a typed handler
//	LoadConfig, WriteDefaultConfig                 configuration files
//	GraceSignal, SetShutdown                       the end of a program
//
// The rest is for programs that come from erpc v7: handlers that are methods of
// structs (RouteCall and related functions), and the names in v7.go.
//
// # Methods
//
// Most types here are aliases of types in the layer packages, and go doc does
// not show the methods of an alias on this page.
//
// The methods of a [Peer]:
//
//	Listen, ListenOn, ListenAndServe, Serve, ServeConn, Listeners, Refused
//	Dial, DialContext
//	CountSession, GetSession, RangeSession, Broadcast, Flush, Group, Groups
//	Handle, HandleAll, Path, SubRoute, Router, Root, ToRouter
//	RouteCall, RouteCallFunc, RoutePush, RoutePushFunc, RouteStream, RouteStreamFunc,
//	SetUnknownCall, SetUnknownPush, SetUnknownStream
//	Config, PluginContainer, Stats, Handlers
//	SetTLSConfig, SetTLSConfigFromFile, TLSConfig
//	Flush, Close, Shutdown, OnClose
//
// Of a [Session]:
//
//	Call, AsyncCall, Push, OpenStream, Flush
//	ID, SetID, LocalAddr, RemoteAddr, Peer, Swap, Stats
//	Health, Connected, Changed, Err, CloseNotify, Close, CloseWith
//	SessionAge, SetSessionAge, ContextAge, SetContextAge
//	Log, Printf, Tracef, Debugf, Infof, Noticef, Warnf, Errorf, Criticalf, Panicf, Fatalf
//
// Of a [PreSession], which connect hooks get (it also has ID, the addresses,
// the ages, Swap, Close and the logging functions):
//
//	PreCall, PreSend, PreReceive, PreReply, RawPush
//	ModifySocket, ControlFD, GetProtoFunc, NetConn, AnswersInOrder, Err
//
// Of a [CallCtx], which also has the logging functions; a [PushCtx] has the
// same methods except those that concern the reply:
//
//	Context, Session, Peer, Swap, IP, RealIP
//	ServiceMethod, ResetServiceMethod, Seq, Input, GetBodyCodec
//	GetMeta, PeekMeta, VisitMeta, CopyMeta
//	Output, SetMeta, AddMeta, SetBodyCodec, ReplyBodyCodec, AddXferPipe
//
// Of a [CallCmd], which is a call in flight or a completed one:
//
//	Done, Cancel, Status, StatusOK, Reply, Context, Session, Output
//	InputMeta, InputBodyCodec, CostTime
//
// Of a [Status]; a nil Status is success:
//
//	OK, Code, Msg, Cause, Err, String
//
// # Layers
//
//	codec  xfer  plugin      bodies, filters, plugins
//	message                  header, status, metadata, body
//	proto                    wire formats
//	socket                   bytes on a connection; transports
//	session                  one conversation
//	router                   names to handlers
//	peer                     listen, dial, the table of sessions
//
// To port a program from erpc v7, change its import paths; docs/migrating.md
// lists the differences.
package erpc
