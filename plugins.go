package erpc

import (
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// The hooks that a plugin can implement, in the order in which a peer, a
// session and a message pass them. docs/plugins.md lists them in a table.
type (
	// PreNewPeerPlugin is [peer.PreNewPeerPlugin].
	PreNewPeerPlugin = peer.PreNewPeerPlugin
	// PostNewPeerPlugin is [peer.PostNewPeerPlugin].
	PostNewPeerPlugin = peer.PostNewPeerPlugin
	// PostRegPlugin is [router.PostRegPlugin].
	PostRegPlugin = router.PostRegPlugin
	// PostListenPlugin is [peer.PostListenPlugin].
	PostListenPlugin = peer.PostListenPlugin
	// PreDialPlugin is [peer.PreDialPlugin].
	PreDialPlugin = peer.PreDialPlugin
	// PostDialPlugin is [session.PostDialPlugin].
	PostDialPlugin = session.PostDialPlugin
	// PostAcceptPlugin is [session.PostAcceptPlugin].
	PostAcceptPlugin = session.PostAcceptPlugin
	// PostOpenPlugin is [session.PostOpenPlugin].
	PostOpenPlugin = session.PostOpenPlugin
	// PreWriteCallPlugin is [session.PreWriteCallPlugin].
	PreWriteCallPlugin = session.PreWriteCallPlugin
	// PostWriteCallPlugin is [session.PostWriteCallPlugin].
	PostWriteCallPlugin = session.PostWriteCallPlugin
	// PreWriteReplyPlugin is [session.PreWriteReplyPlugin].
	PreWriteReplyPlugin = session.PreWriteReplyPlugin
	// PostWriteReplyPlugin is [session.PostWriteReplyPlugin].
	PostWriteReplyPlugin = session.PostWriteReplyPlugin
	// PreWritePushPlugin is [session.PreWritePushPlugin].
	PreWritePushPlugin = session.PreWritePushPlugin
	// PostWritePushPlugin is [session.PostWritePushPlugin].
	PostWritePushPlugin = session.PostWritePushPlugin
	// PreReadHeaderPlugin is [session.PreReadHeaderPlugin].
	PreReadHeaderPlugin = session.PreReadHeaderPlugin
	// PostReadCallHeaderPlugin is [session.PostReadCallHeaderPlugin].
	PostReadCallHeaderPlugin = session.PostReadCallHeaderPlugin
	// PreReadCallBodyPlugin is [session.PreReadCallBodyPlugin].
	PreReadCallBodyPlugin = session.PreReadCallBodyPlugin
	// PostReadCallBodyPlugin is [session.PostReadCallBodyPlugin].
	PostReadCallBodyPlugin = session.PostReadCallBodyPlugin
	// PostReadPushHeaderPlugin is [session.PostReadPushHeaderPlugin].
	PostReadPushHeaderPlugin = session.PostReadPushHeaderPlugin
	// PreReadPushBodyPlugin is [session.PreReadPushBodyPlugin].
	PreReadPushBodyPlugin = session.PreReadPushBodyPlugin
	// PostReadPushBodyPlugin is [session.PostReadPushBodyPlugin].
	PostReadPushBodyPlugin = session.PostReadPushBodyPlugin
	// PostHandlePlugin is [session.PostHandlePlugin].
	PostHandlePlugin = session.PostHandlePlugin
	// PostReadReplyHeaderPlugin is [session.PostReadReplyHeaderPlugin].
	PostReadReplyHeaderPlugin = session.PostReadReplyHeaderPlugin
	// PreReadReplyBodyPlugin is [session.PreReadReplyBodyPlugin].
	PreReadReplyBodyPlugin = session.PreReadReplyBodyPlugin
	// PostReadReplyBodyPlugin is [session.PostReadReplyBodyPlugin].
	PostReadReplyBodyPlugin = session.PostReadReplyBodyPlugin
	// PreSendMessagePlugin is [session.PreSendMessagePlugin].
	PreSendMessagePlugin = session.PreSendMessagePlugin
	// PreRecvMessagePlugin is [session.PreRecvMessagePlugin].
	PreRecvMessagePlugin = session.PreRecvMessagePlugin
	// PostEndStreamPlugin is [session.PostEndStreamPlugin].
	PostEndStreamPlugin = session.PostEndStreamPlugin
	// PostDisconnectPlugin is [session.PostDisconnectPlugin].
	PostDisconnectPlugin = session.PostDisconnectPlugin
)

// A PluginImpl is a plugin made of functions, one for each hook. See
// [peer.PluginImpl].
type PluginImpl = peer.PluginImpl
