package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/saved"
	"github.com/goerpc/erpc/plugin/reflect"
)

// completeCommand is the command that the scripts call with the words of the
// command line. It prints the candidates for the last word, one per line.
const completeCommand = "__complete"

// scripts are the completion scripts of the shells. The shells complete file
// names themselves.
var scripts = map[string]string{
	"bash": `_erpc() {
	local cur=${COMP_LINE:0:COMP_POINT} words last IFS=$' \t\n'
	read -ra words <<<"$cur"
	[[ $cur == *[[:space:]] ]] && words+=('')
	IFS=$'\n'
	COMPREPLY=($(erpc __complete "${words[@]:1}" 2>/dev/null))
	# Bash takes a colon for the end of a word and replaces only what is behind it.
	last=${words[${#words[@]}-1]}
	if [[ $last == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*:}"}"}")
	fi
}
complete -o default -o bashdefault -F _erpc erpc
`,
	"zsh": `#compdef erpc
_erpc() {
	local -a found
	found=("${(@f)$(erpc __complete "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
	found=(${found:#})
	if (( $#found )); then
		compadd -Q -a found
	else
		_files
	fi
}
compdef _erpc erpc
`,
	"fish": `function __erpc_complete
	set -l words (commandline -opc) (commandline -ct)
	erpc __complete $words[2..-1] 2>/dev/null
end
complete -c erpc -a '(__erpc_complete)'
`,
}

// runCompletion prints the script of a shell.
func runCompletion(_ context.Context, o *options, args []string) error {
	if len(args) == 1 && scripts[args[0]] != "" {
		_, err := io.WriteString(o.std.out, scripts[args[0]])
		return err
	}
	return usagef("completion takes bash, zsh or fish")
}

// methodsWithin bounds how long completion waits for a peer's methods.
const methodsWithin = time.Second

// plainWord matches words without special meaning for a shell. Other words are
// not offered: names of methods come from the other side, and a shell could
// execute parts of them.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_/.:@%+,-]+$`)

// complete prints the candidates for the last word.
func complete(ctx context.Context, words []string, std stdio) int {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, s := range candidates(ctx, words) {
		if strings.HasPrefix(s, last) && plainWord.MatchString(s) {
			fmt.Fprintln(std.out, s)
		}
	}
	return exitOK
}

// candidates returns the candidates for the last word, or none if it is a file
// name.
func candidates(ctx context.Context, words []string) (found []string) {
	if len(words) == 1 {
		for _, c := range commands() {
			found = append(found, c.name)
		}
		return append(found, "help")
	}
	var c command
	for _, known := range commands() {
		if known.name == words[0] {
			c = known
		}
	}
	words, last := words[1:len(words)-1], words[len(words)-1]
	switch {
	case c.name == "completion" && len(words) == 0:
		return slices.Sorted(maps.Keys(scripts))
	case c.name == "context" && len(words) == 0:
		return []string{"list", "remove", "set"}
	case c.name == "context" && len(words) == 1 && words[0] == "remove":
		return names()
	case c.name == "" || c.target == noTarget || c.target == listens && !strings.HasPrefix(last, "-"):
		return nil
	}
	o := &options{std: stdio{strings.NewReader(""), io.Discard, io.Discard}, color: "never"}
	fs := c.flagSet(o)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	if wantsValue(fs, words) {
		return nil
	}
	if strings.HasPrefix(last, "-") {
		fs.VisitAll(func(f *flag.Flag) { found = append(found, "-"+f.Name) })
		return found
	}
	if fs.Parse(words) != nil {
		return nil
	}
	before := fs.NArg()
	if c.target == mayDial && o.schemas() { // it takes no target then
		before++
	}
	args, err := c.resolve(o, fs)
	if err != nil {
		return nil
	}
	set, err := o.descriptors(ctx)
	if err != nil {
		return nil
	}
	switch what := c.words(before); {
	case what == "TARGET":
		return names()
	case what != "METHOD" && what != "[PREFIX]":
		return nil
	case set != nil:
		for _, m := range set.Methods() {
			found = append(found, m.Name)
		}
		return found
	}
	return o.methodNames(ctx, args[0])
}

// wantsValue reports whether the last word is a flag whose value comes next.
func wantsValue(fs *flag.FlagSet, words []string) bool {
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	name := strings.TrimLeft(last, "-")
	f := fs.Lookup(name)
	if f == nil || name == last {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// names returns the names of the saved targets.
func names() []string {
	path, err := saved.Path()
	if err != nil {
		return nil
	}
	all, err := saved.Load(path)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(all))
}

// methodNames asks a peer for the names of its methods.
func (o *options) methodNames(ctx context.Context, to string) (found []string) {
	o.timeout = min(o.timeout, methodsWithin)
	_ = o.reflect(ctx, to, func(ctx context.Context, sess erpc.Session) error { // without an answer nothing is completed
		list, err := ask[reflect.List](ctx, o, sess, reflect.ListMethod, &reflect.ListArg{})
		if err != nil {
			return err
		}
		for _, m := range list.Methods {
			found = append(found, m.Name)
		}
		return nil
	})
	return found
}
