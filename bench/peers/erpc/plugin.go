package main

import "github.com/goerpc/erpc"

// everywhere is a plugin with a hook for every stage of a call, on both sides.
// It does nothing, so that what is measured is what erpc does for it.
type everywhere struct{ name string }

func (p *everywhere) Name() string { return p.name }

func (*everywhere) PreWriteCall(erpc.WriteCtx) *erpc.Status       { return nil }
func (*everywhere) PostWriteCall(erpc.WriteCtx) *erpc.Status      { return nil }
func (*everywhere) PreWriteReply(erpc.WriteCtx) *erpc.Status      { return nil }
func (*everywhere) PostWriteReply(erpc.WriteCtx) *erpc.Status     { return nil }
func (*everywhere) PreReadHeader(erpc.PreCtx) error               { return nil }
func (*everywhere) PostReadCallHeader(erpc.ReadCtx) *erpc.Status  { return nil }
func (*everywhere) PreReadCallBody(erpc.ReadCtx) *erpc.Status     { return nil }
func (*everywhere) PostReadCallBody(erpc.ReadCtx) *erpc.Status    { return nil }
func (*everywhere) PostReadReplyHeader(erpc.ReadCtx) *erpc.Status { return nil }
func (*everywhere) PreReadReplyBody(erpc.ReadCtx) *erpc.Status    { return nil }
func (*everywhere) PostReadReplyBody(erpc.ReadCtx) *erpc.Status   { return nil }

// A hook that has another shape than erpc asks for would never be called, and
// its cost not be measured.
var (
	_ erpc.PreWriteCallPlugin        = (*everywhere)(nil)
	_ erpc.PostWriteCallPlugin       = (*everywhere)(nil)
	_ erpc.PreWriteReplyPlugin       = (*everywhere)(nil)
	_ erpc.PostWriteReplyPlugin      = (*everywhere)(nil)
	_ erpc.PreReadHeaderPlugin       = (*everywhere)(nil)
	_ erpc.PostReadCallHeaderPlugin  = (*everywhere)(nil)
	_ erpc.PreReadCallBodyPlugin     = (*everywhere)(nil)
	_ erpc.PostReadCallBodyPlugin    = (*everywhere)(nil)
	_ erpc.PostReadReplyHeaderPlugin = (*everywhere)(nil)
	_ erpc.PreReadReplyBodyPlugin    = (*everywhere)(nil)
	_ erpc.PostReadReplyBodyPlugin   = (*everywhere)(nil)
)
