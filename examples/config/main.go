// Command config makes a server and a client from one configuration file, in
// YAML or INI depending on its name, and lets the client call the server:
//
//	go run ./examples/config peers.yaml
//	go run ./examples/config peers.ini
//
// If the file does not exist, the command writes it, with the defaults and a
// comment for each key: edit it and run the command again.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/all"
)

// Config is the content of the file: a section for each of the two peers.
type Config struct {
	Server erpc.PeerConfig `yaml:"server" ini:"server" comment:"The peer that listens"`
	Client erpc.PeerConfig `yaml:"client" ini:"client" comment:"The peer that dials it"`
}

// SetDefaults is called before the file is read, so that keys missing in the
// file keep these values.
func (c *Config) SetDefaults() {
	c.Server.SetDefaults()
	c.Server.LocalIP = "127.0.0.1"
	c.Server.ListenPort = 9090
	c.Server.CountTime = true
	c.Client.SetDefaults()
	c.Client.RedialTimes = 3
}

func main() {
	path := "peers.yaml"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(os.Stdout, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run loads the file, makes the peers and makes the call.
func run(w io.Writer, path string) error {
	cfg, err := load(w, path)
	if err != nil {
		return err
	}
	// The file may name any network, so the program has all transports.
	cfg.Server.Transports, cfg.Client.Transports = all.Transports(), all.Transports()
	srv := erpc.NewPeer(cfg.Server)
	defer srv.Close()
	srv.RouteCall(new(Math))
	lis, err := srv.Listen()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	defer func() {
		_ = srv.Close() // makes Serve return
		<-served
	}()

	cli := erpc.NewPeer(cfg.Client)
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		return st.Err()
	}
	var result int
	if st := sess.Call("/math/add", []int{1, 2, 3, 4, 5}, &result).Status(); !st.OK() {
		return st.Err()
	}
	_, err = fmt.Fprintf(w, "1+2+3+4+5 = %d, with %s bodies over %s\n", result, cfg.Client.DefaultBodyCodec, cfg.Server.Network)
	return err
}

// load reads the file, or writes it if it does not exist.
func load(w io.Writer, path string) (*Config, error) {
	var cfg Config
	err := erpc.LoadConfig(path, "", &cfg)
	if !errors.Is(err, fs.ErrNotExist) {
		return &cfg, err
	}
	cfg.SetDefaults()
	if err := erpc.WriteDefaultConfig(path, "", &cfg); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(w, "wrote %s; edit it as you like and run this again\n", path)
	return &cfg, err
}

// Math has the handlers of the server.
type Math struct{ erpc.CallCtx }

// Add returns the sum of the numbers.
func (*Math) Add(numbers *[]int) (sum int, _ *erpc.Status) {
	for _, n := range *numbers {
		sum += n
	}
	return sum, nil
}
