package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/descriptors"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/plugin/auth"
)

// options holds the flags and streams of a command.
type options struct {
	std stdio

	timeout                    time.Duration
	ca, cert, key, name, token string
	insecure, verbose          bool
	meta                       metaFlag

	protos, dirs, sets listFlag

	data, codec   string
	raw, template bool
	format, color string
	count         int
	module        string
	listen        listenOptions
	bench         benchOptions
	serve         serveOptions
	top           topOptions
}

// schemaFlags defines the flags of commands that need types.
func (o *options) schemaFlags(fs *flag.FlagSet) {
	fs.Var(&o.protos, "proto", "`.proto` file with the types of the methods, may be repeated; no protoc is needed")
	fs.Var(&o.dirs, "I", "`directory` in which to look for files and imports of -proto, may be repeated; default the current one")
	fs.Var(&o.sets, "protoset", "`file` with a descriptor set, with all imports, in place of -proto; may be repeated")
}

// schemas reports whether the flags name files with types.
func (o *options) schemas() bool { return len(o.protos)+len(o.sets) > 0 }

// descriptors returns the types of these files, or nil if there are none.
func (o *options) descriptors(ctx context.Context) (set *descriptors.Set, err error) {
	switch {
	case !o.schemas():
		return nil, nil
	case len(o.protos) > 0 && len(o.sets) > 0:
		return nil, usagef("give -proto or -protoset, not both")
	case len(o.protos) > 0:
		set, err = descriptors.Compile(ctx, o.dirs, o.protos...)
	default:
		set, err = descriptors.Read(o.sets...)
	}
	if err != nil {
		return nil, usagef("%v", err)
	}
	return set, nil
}

// A listFlag is a flag that may be repeated.
type listFlag []string

// String implements [flag.Value].
func (*listFlag) String() string { return "" }

// Set implements [flag.Value].
func (l *listFlag) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// connectionFlags defines the flags of all commands that dial.
func (o *options) connectionFlags(fs *flag.FlagSet) {
	fs.DurationVar(&o.timeout, "timeout", 10*time.Second, "limit of dialing, and of each call")
	fs.StringVar(&o.ca, "ca", "", "PEM `file` with the authorities of the server; default those of the system")
	fs.StringVar(&o.cert, "cert", "", "PEM `file` with the certificate of the client")
	fs.StringVar(&o.key, "key", "", "PEM `file` with its key")
	fs.StringVar(&o.name, "servername", "", "`name` in the server's certificate, if it is not the target's host")
	fs.BoolVar(&o.insecure, "insecure", false, "do not verify the certificate of the server")
	fs.StringVar(&o.token, "auth", "", "token to log in with: `@file` or $NAME of the environment; default $ERPC_TOKEN")
	fs.BoolVar(&o.verbose, "v", false, "print metadata, sizes and times to standard error")
	fs.Var(&o.meta, "H", "metadata `key=value` or 'key: value', may be repeated; ${NAME} is replaced by the environment variable")
}

// bodyFlags defines the flags of commands that send an argument.
func bodyFlags(o *options, fs *flag.FlagSet) {
	fs.StringVar(&o.data, "d", "", "argument: JSON, `@file`, or - for standard input")
	o.codecFlag(fs)
	o.schemaFlags(fs)
}

func callFlags(o *options, fs *flag.FlagSet) {
	bodyFlags(o, fs)
	fs.BoolVar(&o.raw, "raw", false, "write the bytes of the result unchanged")
}

func (o *options) codecFlag(fs *flag.FlagSet) {
	fs.StringVar(&o.codec, "codec", "", "codec of the bodies: json, protobuf, form or plain, which are converted from JSON, or another one, whose text is then the argument; default json, or protobuf with -proto or -protoset")
}

func (o *options) colorFlag(fs *flag.FlagSet) {
	fs.StringVar(&o.color, "color", "auto", "color the output: auto, always or never")
}

func formatFlags(o *options, fs *flag.FlagSet) {
	fs.StringVar(&o.format, "o", "text", "`format` of the output: text or json")
}

// metaFlag collects metadata in the order of the command line.
type metaFlag [][2]string

// String implements [flag.Value].
func (*metaFlag) String() string { return "" }

// Set implements [flag.Value].
func (m *metaFlag) Set(s string) error {
	i := strings.IndexAny(s, "=:")
	if i <= 0 {
		return errors.New("write key=value")
	}
	value := s[i+1:]
	if s[i] == ':' {
		value = strings.TrimSpace(value)
	}
	*m = append(*m, [2]string{s[:i], value})
	return nil
}

// secret reads a token from a file or the environment, because others can see
// the command line.
func secret(from string) (string, error) {
	switch {
	case from == "":
		return os.Getenv("ERPC_TOKEN"), nil
	case from[0] == '@':
		b, err := os.ReadFile(from[1:])
		if err != nil {
			return "", usagef("-auth: %v", err)
		}
		return strings.TrimSpace(string(b)), nil
	case variableRef.MatchString(from):
		v := os.Expand(from, os.Getenv)
		if v == "" {
			return "", usagef("-auth: the environment variable %s is not set", from)
		}
		return v, nil
	}
	return "", usagef("-auth takes @file or '$NAME': a token on the command line is visible in the list of processes")
}

// A dialer makes sessions of one peer to one target.
type dialer struct {
	erpc.Peer
	o      *options
	addr   string
	protos []erpc.ProtoFunc
}

// dialer returns a dialer for a target. register, which may be nil, registers
// handlers.
func (o *options) dialer(to string, register func(erpc.Peer)) (*dialer, error) {
	t, err := parseTarget(to)
	if err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, usagef("-timeout must be positive")
	}
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	token, err := secret(o.token)
	if err != nil {
		return nil, err
	}
	var plugins []erpc.Plugin
	if token != "" {
		plugins = append(plugins, auth.NewBearerPlugin(auth.Token(token)))
	}
	cfg, protos := t.peer("") // the address has the path
	cfg.DialTimeout = o.timeout
	d := &dialer{Peer: erpc.NewPeer(cfg, plugins...), o: o, addr: t.addr, protos: protos}
	if t.tls {
		d.SetTLSConfig(tlsConfig)
	}
	if register != nil {
		register(d.Peer)
	}
	return d, nil
}

// dial dials a session.
func (d *dialer) dial(ctx context.Context) (erpc.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.timeout)
	defer cancel()
	sess, st := d.DialContext(ctx, d.addr, d.protos...)
	if !st.OK() {
		return nil, connectionError{st}
	}
	d.o.note("connected to %s", sess.RemoteAddr())
	return sess, nil
}

// dial makes a peer with one session to the target.
func (o *options) dial(ctx context.Context, to string, register func(erpc.Peer)) (erpc.Peer, erpc.Session, error) {
	d, err := o.dialer(to, register)
	if err != nil {
		return nil, nil, err
	}
	sess, err := d.dial(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, d.Close())
	}
	return d.Peer, sess, nil
}

func (o *options) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.insecure, ServerName: o.name}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, usagef("-ca: %v", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("-ca: %s holds no certificate", o.ca)
		}
	}
	if o.cert != "" || o.key != "" {
		cert, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, usagef("-cert, -key: %v", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// settings returns the settings of a call or push.
func (o *options) settings(ctx context.Context) []erpc.MessageSetting {
	set := []erpc.MessageSetting{erpc.WithContext(ctx)}
	for _, kv := range o.meta {
		set = append(set, erpc.WithAddMeta(kv[0], os.Expand(kv[1], os.Getenv)))
	}
	return set
}

// argument returns the argument that follows the method, or the one of -d.
func (o *options) argument(args []string) ([]byte, error) {
	in, err := o.input(args)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	return o.valid(b)
}

// input returns the data to send: the argument, the one of -d, or nothing.
func (o *options) input(args []string) (io.ReadCloser, error) {
	switch {
	case len(args) > 1:
		return nil, usagef("too many arguments; quote the JSON, and put flags before the target")
	case len(args) == 1 && o.data != "":
		return nil, usagef("the argument is given twice: %q and -d", args[0])
	case len(args) == 1:
		return io.NopCloser(strings.NewReader(args[0])), nil
	case o.data == "-":
		return io.NopCloser(o.std.in), nil
	case strings.HasPrefix(o.data, "@"):
		f, err := os.Open(o.data[1:])
		if err != nil {
			return nil, usagef("-d: %v", err)
		}
		return f, nil
	}
	return io.NopCloser(strings.NewReader(o.data)), nil
}

// valid checks an argument that must be JSON.
func (o *options) valid(b []byte) ([]byte, error) {
	if !o.takesJSON() {
		_, err := codec.GetByName(o.codecName())
		if err != nil {
			return nil, usagef("-codec: %v", err)
		}
		return b, nil
	}
	if len(b) > 0 && !json.Valid(b) {
		return nil, usagef("the argument is not JSON: %s", harmless(clip(string(b))))
	}
	return b, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// note writes a line if -v is set.
func (o *options) note(format string, args ...any) {
	if o.verbose {
		fmt.Fprintln(o.std.err, "#", harmless(fmt.Sprintf(format, args...)))
	}
}

// A connectionError is the status of a failed or lost connection.
type connectionError struct{ st *erpc.Status }

func (e connectionError) Error() string { return e.st.String() }

// A statusError is a failed status from the other side.
type statusError struct{ st *erpc.Status }

func (e statusError) Error() string { return e.st.String() }

// failed returns the error of a status, or nil if the status is OK.
func failed(st *erpc.Status) error {
	switch {
	case st.OK():
		return nil
	case erpc.IsConnError(st):
		return connectionError{st}
	}
	return statusError{st}
}

// exit reports err and returns the exit code. A status is printed as a line of
// JSON.
func (o *options) exit(err error) int {
	var conn connectionError
	var status statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &conn):
		o.printStatus(conn.st)
		return exitConnection
	case errors.As(err, &status):
		o.printStatus(status.st)
		return exitStatus
	}
	fmt.Fprintln(o.std.err, "erpc:", harmless(err.Error()))
	return exitUsage
}

// printStatus writes a status as a line of JSON.
func (o *options) printStatus(st *erpc.Status) {
	text := harmlessJSON([]byte(st.JSONString()))
	if o.colored(o.std.err) {
		text = red.of(text)
	}
	fmt.Fprintln(o.std.err, text)
}
