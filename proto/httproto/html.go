package httproto

import (
	"bytes"
	"io"

	"github.com/goerpc/erpc/message"
)

// A Page is the part of a handler's context that [HTML] needs. Every erpc.CallCtx
// implements it.
type Page interface {
	SetMeta(key, value string)
	Errorf(format string, args ...any)
}

// A Template is what [HTML] renders. Use those of html/template, which escape
// their data.
type Template interface {
	Execute(w io.Writer, data any) error
}

// HTML renders a template as the reply of a handler, which a browser shows:
//
//	func (c *Site) Index(*struct{}) ([]byte, *erpc.Status) {
//		return httproto.HTML(c, index, data)
//	}
//
// It sets the Content-Type; a reply's metadata of that name replaces the type of
// the codec. If the template fails, the reply is status 500, and the error is
// logged, not sent.
func HTML(ctx Page, t Template, data any) ([]byte, *message.Status) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		ctx.Errorf("httproto: render a page: %v", err)
		return nil, message.NewStatusByCodeText(message.CodeInternalServerError, "the page could not be rendered", false)
	}
	ctx.SetMeta("Content-Type", "text/html; charset=utf-8")
	return b.Bytes(), nil
}
