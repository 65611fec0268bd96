package main

import "github.com/goerpc/erpc/bench/report"

// A peer is a variant of a program in the directory of binaries.
type peer struct {
	report.Peer
	binary, variant string
	tests           []string // that it takes part in
}

// peers lists all peers, in the order of the report.
var peers = []peer{
	{report.Peer{Name: report.Limit, Version: "this tree", How: "by hand: frames on one connection, batches both ways, no goroutine per request; nothing else", Limit: true},
		"limit", "limit", []string{report.Call, report.Push, report.Conns, report.OverTLS, report.OverUnix, report.Body64, report.Procs, report.Open, report.Hot}},
	{report.Peer{Name: report.Typed, Version: "this tree", How: "HandleCall, defaults", Ours: true},
		"erpc", "typed", []string{report.Call, report.Idle, report.Conns, report.OverTLS, report.OverUnix, report.OverWS, report.OverQUIC, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open, report.Hot}},
	{report.Peer{Name: report.VT, Version: "this tree", How: "HandleCall with messages of protoc-gen-go-vtproto v0.6.0", Ours: true},
		"erpc", "vt", []string{report.Call}},
	{report.Peer{Name: report.Struct, Version: "this tree", How: "RouteCall with a struct, defaults", Ours: true},
		"erpc", "struct", []string{report.Call}},
	{report.Peer{Name: report.BytesPeer, Version: "this tree", How: "HandleCall with []byte, defaults", Ours: true},
		"erpc", "bytes", []string{report.Bytes, report.Large, report.Meta, report.Plugins, report.Filter, report.Size, report.Sessions}},
	{report.Peer{Name: report.BroadcastPeer, Version: "this tree", How: "Peer.Broadcast, defaults", Ours: true},
		"erpc", "broadcast", []string{report.Push}},
	{report.Peer{Name: report.ChurnPeer, Version: "this tree", How: "Peer.Broadcast while 1,000 sessions a second of another process join, which each wait for the first push, and as many leave; those lose what is on its way to them", Ours: true},
		"erpc", "churn", []string{report.Push}},
	{report.Peer{Name: report.PushPeer, Version: "this tree", How: "RangeSession and Session.Push, defaults", Ours: true},
		"erpc", "push", []string{report.Push}},
	{report.Peer{Name: report.LoopPeer, Version: "this tree", How: "the event-loop transport", Ours: true},
		"erpc", "loop", []string{report.Call, report.Idle, report.Conns}},
	{report.Peer{Name: report.V7, Version: "v7.2.2", How: "andeya/erpc: function handlers, raw protocol, protobuf; pushes by RangeSession and Push"},
		"v7", "v7", []string{report.Call, report.Bytes, report.Push, report.Idle, report.Conns, report.OverTLS, report.OverUnix, report.OverQUIC, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "gorpc-gob", Version: "v0.0.0-20160519171614-908281bef774", How: "valyala/gorpc: structs, its gob; compression off"},
		"gorpc", "gorpc-gob", []string{report.Call}},
	{report.Peer{Name: "gorpc-pb", Version: "v0.0.0-20160519171614-908281bef774", How: "valyala/gorpc: bytes of protobuf; compression off"},
		"gorpc", "gorpc-pb", []string{report.Call}},
	{report.Peer{Name: "arpc", Version: "v1.2.17", How: "lesismal/arpc: defaults, which keep Nagle's algorithm on; protobuf codec"},
		"arpc", "arpc", []string{report.Call, report.Push, report.Idle, report.Conns, report.OverTLS, report.OverUnix, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "arpc-tuned", Version: "v1.2.17", How: "the same with SetSendBufferSize(65536) and EnablePool"},
		"arpc", "arpc-tuned", []string{report.Call, report.Push, report.OverTLS, report.OverUnix, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "rpcx", Version: "v1.9.4", How: "smallnest/rpcx: router handler, protobuf, 4 connections"},
		"rpcx", "rpcx", []string{report.Call, report.Idle, report.Conns, report.OverTLS, report.OverUnix, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "kitex", Version: "v0.16.3", How: "cloudwego/kitex: multiplexed, TTHeader, protobuf by its own prutal"},
		"kitex", "kitex", []string{report.Call, report.Idle, report.Conns, report.OverUnix, report.Body64, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "grpc", Version: "v1.85.0", How: "grpc-go: defaults, unary, no TLS"},
		"grpc", "grpc", []string{report.Call, report.Conns, report.OverTLS, report.OverUnix, report.Body64, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: "netrpc", Version: "of the Go used", How: "net/rpc: structs, gob"},
		"netrpc", "netrpc", []string{report.Call, report.Conns, report.OverTLS, report.OverUnix, report.Body64, report.JSON, report.Procs, report.Blocking, report.Open}},
	{report.Peer{Name: report.Copy, Version: "this tree", How: "io.Copy of a connection onto itself", Limit: true},
		"limit", "copy", []string{report.Large}},
	{report.Peer{Name: "store", Version: "this tree", How: "reads a body whole, then writes it back", Limit: true},
		"limit", "store", []string{report.Large}},
	{report.Peer{Name: "gorilla", Version: "v1.5.3", How: "by hand on gorilla/websocket: a connection and a goroutine for each caller"},
		"echo", "gorilla", []string{report.OverWS}},
	{report.Peer{Name: "coder", Version: "v1.8.15", How: "the same on coder/websocket"},
		"echo", "coder", []string{report.OverWS}},
	{report.Peer{Name: "quic-go", Version: "v0.65.0", How: "by hand on quic-go: one connection, a stream for each caller"},
		"echo", "quic", []string{report.OverQUIC}},
}
