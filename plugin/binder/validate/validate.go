package validate

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/goerpc/erpc/plugin/binder"
)

// Config adjusts a validator. The zero value works.
type Config struct {
	// Engine has the tags and functions of the user registered; nil is one
	// with what is built in. It must not be changed any more.
	Engine *validator.Validate `yaml:"-" ini:"-"`
}

type structs struct{ engine *validator.Validate }

// New returns a validator for [binder.Config].
func New(cfg Config) binder.Validator {
	if cfg.Engine == nil {
		cfg.Engine = validator.New(validator.WithRequiredStructEnabled())
	}
	return structs{cfg.Engine}
}

// Prepare implements [binder.Validator]. The engine panics on tags that it does
// not know when it first meets them, so it is made to meet those of a zero value
// here. Tags in structs that only a value of some length leads to are met later,
// and are errors of the argument then.
func (s structs) Prepare(arg reflect.Type) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("validate: tags of %s: %v", arg, p)
		}
	}()
	_ = s.engine.Struct(reflect.New(arg).Interface()) // a zero value need not be valid
	return nil
}

// Validate implements [binder.Validator]. The parameter is the path of the field
// without the name of the argument's type.
func (s structs) Validate(arg any) (param, reason string, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			param, reason, ok = "", fmt.Sprint(p), false
		}
	}()
	err := s.engine.Struct(arg)
	if err == nil {
		return "", "", true
	}
	var fields validator.ValidationErrors
	if !errors.As(err, &fields) || len(fields) == 0 {
		return "", err.Error(), false
	}
	f := fields[0]
	_, param, _ = strings.Cut(f.Namespace(), ".")
	reason = "fails " + f.Tag()
	if f.Param() != "" {
		reason += "=" + f.Param()
	}
	return param, reason, false
}
