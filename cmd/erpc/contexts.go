package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goerpc/erpc/cmd/erpc/internal/saved"
)

// contextFlags defines the flags that can be saved with a target: those that
// several commands have.
func contextFlags(o *options, fs *flag.FlagSet) {
	o.connectionFlags(fs)
	o.codecFlag(fs)
	o.schemaFlags(fs)
}

// runContext saves, lists and removes names of targets.
func runContext(_ context.Context, o *options, args []string) error {
	if len(args) == 0 {
		args = []string{"list"}
	}
	path, err := saved.Path()
	if err != nil {
		return err
	}
	all, err := saved.Load(path)
	if err != nil {
		return err
	}
	switch verb, rest := args[0], args[1:]; {
	case verb == "list" && len(rest) == 0:
		w := tabwriter.NewWriter(o.std.out, 0, 8, 2, ' ', 0)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", o.paint(bold, harmless(name)), harmless(all[name].Target), harmless(flagText(all[name].Flags)))
		}
		return w.Flush()
	case verb == "set":
		return o.setContext(path, all, rest)
	case verb == "remove" && len(rest) == 1:
		if _, ok := all[rest[0]]; !ok {
			return usagef("there is no context %q", rest[0])
		}
		delete(all, rest[0])
		return all.Save(path)
	}
	return usagef("context takes list, set [FLAGS] NAME TARGET, or remove NAME")
}

// flagText formats flags as they were given.
func flagText(flags map[string][]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		for _, v := range flags[name] {
			words = append(words, "-"+name+"="+v)
		}
	}
	return strings.Join(words, " ")
}

// setContext saves a target with the flags before it.
func (o *options) setContext(path string, all saved.Targets, args []string) error {
	given := &givenFlags{options: &options{std: o.std}, values: map[string][]string{}}
	fs := flag.NewFlagSet("erpc context set", flag.ContinueOnError)
	fs.SetOutput(o.std.err)
	contextFlags(given.options, fs)
	record := flag.NewFlagSet("erpc context set", flag.ContinueOnError)
	record.SetOutput(o.std.err)
	fs.VisitAll(func(f *flag.Flag) { record.Var(recorder{f, given}, f.Name, f.Usage) })
	if err := record.Parse(args); err != nil {
		return usagef("context set takes connection flags, then NAME TARGET")
	}
	args = record.Args()
	if len(args) != 2 || !saved.IsName(args[0]) {
		return usagef("context set takes [FLAGS] NAME TARGET; a name consists of letters, digits, dots, dashes and underscores")
	}
	if _, err := parseTarget(args[1]); err != nil {
		return err
	}
	if _, query, _ := strings.Cut(args[1], "?"); secretKey.MatchString(query) {
		return usagef("a secret is not saved, and the target seems to have one; use -auth or -H")
	}
	if o := given.options; o.insecure && o.ca != "" {
		return usagef("-insecure verifies nothing, so -ca has no use beside it")
	}
	all[args[0]] = saved.Target{Target: args[1], Flags: given.values}
	return all.Save(path)
}

// givenFlags holds the flags of a command line as they will be saved.
type givenFlags struct {
	options *options
	values  map[string][]string
}

// A recorder is a flag.Value that checks a flag by setting it, and keeps its
// text.
type recorder struct {
	f     *flag.Flag
	given *givenFlags
}

// String implements [flag.Value].
func (r recorder) String() string {
	if r.f == nil {
		return ""
	}
	return r.f.DefValue
}

// IsBoolFlag lets bool flags stand without a value.
func (r recorder) IsBoolFlag() bool {
	b, ok := r.f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// Set implements [flag.Value].
func (r recorder) Set(s string) error {
	if err := r.f.Value.Set(s); err != nil {
		return err
	}
	text, err := lasting(r.f.Name, s)
	if err != nil {
		return err
	}
	r.given.values[r.f.Name] = append(r.given.values[r.f.Name], text)
	return nil
}

// Metadata that may be secret, judging by its key or the beginning of its value,
// is saved only as names of variables. Only the name of a scheme, such as Bearer,
// and the names of cookies may stand beside them.
var (
	secretKey   = regexp.MustCompile(`(?i)auth|token|secret|passw|passphrase|pwd|credential|cookie|session|jwt|signature|(api|access|private).?key`)
	secretValue = regexp.MustCompile(`(?i)^\s*(basic|bearer|digest|negotiate|token|apikey)\s`)
	openValue   = regexp.MustCompile(`(?i)^\s*(((basic|bearer|digest|negotiate|token|apikey)\s+)?` + variable + `|[a-z0-9_-]+=` + variable + `(;\s*[a-z0-9_-]+=` + variable + `)*)\s*$`)
	variableRef = regexp.MustCompile(`^` + variable + `$`)
)

const variable = `\$([A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`

// lasting returns the value of a flag in a form that is independent of the
// directory. It refuses secrets; only references to them may be saved.
func lasting(name, value string) (string, error) {
	if value == "" {
		return "", nil // the flag is off
	}
	switch name {
	case "auth":
		if file, ok := strings.CutPrefix(value, "@"); ok {
			path, err := filepath.Abs(file)
			return "@" + path, err
		}
		if !variableRef.MatchString(value) {
			return "", usagef("use @file or '$NAME'; a token is not saved")
		}
	case "H":
		var kv metaFlag
		if err := kv.Set(value); err != nil {
			return "", err
		}
		key, text := kv[0][0], kv[0][1]
		if (secretKey.MatchString(key) || secretValue.MatchString(text)) && !openValue.MatchString(text) {
			return "", usagef("a secret is not saved, and neither is a part of one; write '%s=${NAME}' and set NAME in the environment", key)
		}
	case "ca", "cert", "key", "proto", "I", "protoset":
		return filepath.Abs(value)
	}
	return value, nil
}

// resolve replaces the name of a saved target by the target, and applies its
// saved flags. Flags on the command line take precedence; flags that the
// command does not have are ignored.
func (o *options) resolve(fs *flag.FlagSet, to string) (string, error) {
	if !saved.IsName(to) {
		return to, nil
	}
	path, err := saved.Path()
	if err != nil {
		return to, nil // the error does not help: nothing is saved
	}
	all, err := saved.Load(path)
	if err != nil {
		return "", err
	}
	t, ok := all[to]
	if !ok {
		return "", usagef("target %q is not host:port, a URL such as tls://host:port, or a saved target; erpc context list shows those", to)
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, values := range t.Flags {
		if given[name] || fs.Lookup(name) == nil {
			continue
		}
		for _, v := range values {
			if err := fs.Set(name, v); err != nil {
				return "", usagef("context %s: -%s %s: %v", to, name, v, err)
			}
		}
	}
	return t.Target, nil
}
