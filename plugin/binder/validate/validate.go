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
	// Engine is the validator to use, with custom tags and functions registered;
	// nil means one with the built-in tags. It must not be changed afterwards.
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

// Prepare implements [binder.Validator]. The engine panics when it first meets
// an unknown tag, so Prepare validates a zero value. Tags in structs that a
// zero value does not lead to are met later; an unknown one there is an error
// of the argument.
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
