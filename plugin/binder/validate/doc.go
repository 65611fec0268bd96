// Package validate lets package binder check arguments against the validate
// tags of go-playground/validator, after it has bound them:
//
//	binder.NewStructArgsBinder(nil, binder.Config{Validator: validate.New(validate.Config{})})
//
// It is a separate package so that other programs don't depend on that library.
package validate
