// Package binder is a plugin that fills fields of struct arguments from
// metadata and from the swap of the exchange, and checks the values of fields,
// before the handler runs. The tag param says what to do, in angle brackets:
//
//	type Query struct {
//		Token string   `param:"<meta:token><nonzero><stat:1001:log in first>"`
//		User  *User    // of the body, with params of its own
//		Page  int      `param:"<range:1:100>"`
//		Name  string   `param:"<len:1:20><regexp:^\\w+$><desc:of the user>"`
//		Tags  []string `param:"<meta:tag><len::5>"`
//	}
//
//	<meta>, <meta:name>   the value is that of this metadata, if it was sent;
//	                      of a slice, all of them in order
//	<swap>, <swap:name>   the value is the one with this key in the swap of the
//	                      context, if there is one
//	<len:a:b>             the length of a string (in bytes), slice, map or array
//	<range:a:b>           the value of a number, or of each in a slice of them
//	<nonzero>             it must not be zero, nor empty
//	<regexp:x>            what a string, or each in a slice of them, must match
//	<stat:code:message>   of the status if something is wrong; either part may be
//	                      left out
//	<desc:text>           for [StructArgsBinder.Params]
//
// Either bound of a range or length may be left out; a single number, as in
// <len:3>, is both bounds. Within a value, \> stands for the closing bracket.
// The default name is the field's name in snake case. The tag - skips a field
// and everything in it. Structs without a tag, also behind pointers and in
// slices, have their own fields bound and checked.
//
// The plugin does not touch the messages of streams; stream handlers check what
// they receive.
//
// Rules are compiled when a handler is registered; a mistake in a tag makes the
// registration fail. Package binder/validate adds the tags of
// go-playground/validator.
package binder
