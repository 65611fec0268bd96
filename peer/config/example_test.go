package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goerpc/erpc/peer/config"
)

type peerConfig struct {
	Network     string        `yaml:"network"      ini:"network"      comment:"Network; tcp, unix or quic"`
	ListenPort  uint16        `yaml:"listen_port"  ini:"listen_port"  comment:"Listen port; for server role"`
	DialTimeout time.Duration `yaml:"dial_timeout" ini:"dial_timeout" comment:"Maximum duration for dialing; ns,µs,ms,s,m,h"`
}

// SetDefaults makes peerConfig a config.Defaulter.
func (c *peerConfig) SetDefaults() {
	*c = peerConfig{Network: "tcp", DialTimeout: 10 * time.Second}
}

// inTempDir returns the path of a new file with that content.
func inTempDir(name, content string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, name)
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			panic(err)
		}
	}
	return path, func() { os.RemoveAll(dir) } // what stays is in the system's temporary directory
}

func ExampleLoad() {
	path, remove := inTempDir("peers.yaml", `
main:
  listen_port: 9090 # the rest keeps its defaults
`)
	defer remove()

	var cfg peerConfig
	if err := config.Load(path, "main", &cfg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", cfg)
	// Output: {Network:tcp ListenPort:9090 DialTimeout:10s}
}

func ExampleLoad_ini() {
	path, remove := inTempDir("peers.ini", `
[main]
listen_port = 9090 ; the rest keeps its defaults
`)
	defer remove()

	var cfg peerConfig
	if err := config.Load(path, "main", &cfg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", cfg)
	// Output: {Network:tcp ListenPort:9090 DialTimeout:10s}
}

func ExampleParse_mistake() {
	var cfg peerConfig
	err := config.Parse(config.YAML, "peers.yaml", []byte("main:\n  dial_timeout: 10\n"), "main", &cfg)
	fmt.Println(err)
	// Output: config: peers.yaml:2: section "main": key "dial_timeout": value "10" is not a duration: write it with its unit, as 3s, 100ms or 1h30m
}

func ExampleWriteDefault() {
	path, remove := inTempDir("peers.yaml", "")
	defer remove()

	var cfg peerConfig
	cfg.SetDefaults()
	if err := config.WriteDefault(path, "main", &cfg); err != nil {
		fmt.Println(err)
		return
	}
	written, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(written))
	// A file that exists is never overwritten.
	fmt.Println(errors.Is(config.WriteDefault(path, "main", &cfg), fs.ErrExist))
	// Output:
	// main:
	//   # Network; tcp, unix or quic
	//   network: tcp
	//   # Listen port; for server role
	//   listen_port: 0
	//   # Maximum duration for dialing; ns,µs,ms,s,m,h
	//   dial_timeout: 10s
	// true
}
