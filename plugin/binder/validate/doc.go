// Package validate lets package binder check the tags validate of
// go-playground/validator in arguments, after it has bound them:
//
//	binder.NewStructArgsBinder(nil, binder.Config{Validator: validate.New(validate.Config{})})
//
// It is a package of its own so that a program without it does not hold that
// library.
package validate
