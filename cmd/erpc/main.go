// Command erpc calls and listens to erpc peers from a terminal or a script:
//
//	erpc call localhost:9090 /math/add '[1,2,3]'
//	erpc list localhost:9090
//
// docs/cli.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/goerpc/erpc/codec/thriftcodec"
)

// Exit codes.
const (
	exitOK         = 0
	exitUsage      = 1 // the command line is invalid, or output fails
	exitConnection = 2 // no connection could be made, or it broke
	exitStatus     = 3 // the other side answered with a failed status
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// stdio holds the streams that a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// A command is a command that the first argument names.
type command struct {
	name, args, help string
	run              func(ctx context.Context, o *options, args []string) error
	flags            func(o *options, fs *flag.FlagSet) // defines its own flags; may be nil
	target           targetUse
}

// targetUse says what the first argument of a command is.
type targetUse uint8

const (
	dials    targetUse = iota // where to dial
	mayDial                   // where to dial, unless -proto or -protoset is given
	listens                   // where to listen
	noTarget                  // not a target; all arguments are passed on unchanged
)

func commands() []command {
	return []command{
		{name: "call", args: "TARGET METHOD [JSON]", help: "call a method and print its result", run: runCall, flags: callFlags},
		{name: "push", args: "TARGET METHOD [JSON]", help: "push to a method; there is no answer", run: runPush, flags: bodyFlags},
		{name: "stream", args: "TARGET METHOD [JSON]", help: "open a stream, send messages and print those received", run: runStream, flags: streamFlags},
		{name: "listen", args: "TARGET", help: "print the pushes of a peer, one line of JSON each", run: runListen, flags: listenFlags},
		{name: "list", args: "TARGET [PREFIX]", help: "list the methods of a peer that has plugin/reflect, or of -proto files", run: runList, flags: listFlags, target: mayDial},
		{name: "describe", args: "TARGET METHOD...", help: "print the types of methods as JSON Schema", run: runDescribe, flags: describeFlags, target: mayDial},
		{name: "types", args: "TARGET [PREFIX]", help: "print the types of methods for TypeScript and clients/js", run: runTypes, flags: typesFlags},
		{name: "bench", args: "TARGET METHOD [JSON]", help: "call a method many times and measure latencies", run: runBench, flags: benchFlags},
		{name: "serve", args: "ADDRESS", help: "stand in for a peer: answer by rules, and print received messages", run: runServe, flags: serveFlags, target: listens},
		{name: "top", args: "TARGET", help: "show the activity of a peer that has plugin/stats with Config.Allow", run: runTop, flags: topFlags},
		{name: "completion", args: "bash|zsh|fish", help: "print a script that makes a shell complete this command", run: runCompletion, target: noTarget},
		{name: "context", args: "[list | set [FLAGS] NAME TARGET | remove NAME]", help: "save targets with their flags under names", run: runContext, target: noTarget},
		{name: "version", help: "print the version", run: runVersion, target: noTarget},
	}
}

// run runs the command of args and returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	thriftcodec.Reg() // -codec is checked before there is a peer
	if len(args) == 0 {
		usage(std.err)
		return exitUsage
	}
	if args[0] == "help" && len(args) == 2 {
		args = []string{args[1], "-h"}
	}
	if isHelp(args[0]) || args[0] == "help" {
		usage(std.err)
		return exitOK
	}
	if args[0] == completeCommand {
		return complete(ctx, args[1:], std)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.start(ctx, args[1:], std)
		}
	}
	fmt.Fprintf(std.err, "erpc: no command %q; erpc help lists them\n", args[0])
	return exitUsage
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: erpc COMMAND [FLAGS] ARGUMENTS; erpc COMMAND -h shows the flags")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %-22s %s\n", c.name, c.args, c.help)
	}
}

// flagSet returns the flags of the command.
func (c command) flagSet(o *options) *flag.FlagSet {
	fs := flag.NewFlagSet("erpc "+c.name, flag.ContinueOnError)
	fs.SetOutput(o.std.err)
	fs.Usage = func() {
		fmt.Fprintf(o.std.err, "usage: erpc %s [FLAGS] %s\n%s\n", c.name, c.args, c.help)
		fs.PrintDefaults()
	}
	o.colorFlag(fs)
	if c.target == dials || c.target == mayDial {
		o.connectionFlags(fs)
	}
	if c.flags != nil {
		c.flags(o, fs)
	}
	return fs
}

// start parses the flags and runs the command.
func (c command) start(ctx context.Context, args []string, std stdio) int {
	o := &options{std: std, color: "auto", format: "text"}
	if c.target == noTarget {
		if len(args) > 0 && isHelp(args[0]) {
			fmt.Fprintf(std.err, "usage: erpc %s %s\n%s\n", c.name, c.args, c.help)
			return exitOK
		}
		return o.exit(c.run(ctx, o, args))
	}
	fs := c.flagSet(o)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return exitUsage // the flag set has printed the error
	}
	if o.color != "auto" && o.color != "always" && o.color != "never" {
		return o.exit(usagef("-color must be auto, always or never"))
	}
	if o.format != "text" && o.format != "json" {
		return o.exit(usagef("-o %s: use text or json", o.format))
	}
	given := givenOf(fs) // without the saved ones, which count where they have an effect
	args, err = c.resolve(o, fs)
	if err == nil {
		err = c.check(o, given, args)
	}
	if err != nil {
		return o.exit(err)
	}
	return o.exit(c.run(ctx, o, args))
}

// resolve returns the arguments with a saved target replaced.
func (c command) resolve(o *options, fs *flag.FlagSet) ([]string, error) {
	args := slices.Clone(fs.Args())
	if c.target == listens || len(args) == 0 || c.target == mayDial && o.schemas() {
		return args, nil
	}
	to, err := o.resolve(fs, args[0])
	if err != nil {
		return nil, err
	}
	if c.target == mayDial && o.schemas() { // the saved flags make the target unnecessary
		return args[1:], nil
	}
	args[0] = to
	return args, nil
}

// A usageError is a mistake in the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// runVersion prints the version of the module.
func runVersion(_ context.Context, o *options, args []string) error {
	if len(args) > 0 {
		return usagef("version takes no arguments")
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		if version == "" {
			version = "(devel)"
		}
		version += " " + info.GoVersion
	}
	_, err := fmt.Fprintln(o.std.out, "erpc", version)
	return err
}
