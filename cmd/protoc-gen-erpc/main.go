// Command protoc-gen-erpc is a plugin for protoc and buf that generates Go code
// from the services in .proto files: for each service an interface for its
// handler, a function that registers the handler, a client, and a broadcaster
// of its pushes.
//
//	protoc --go_out=. --go_opt=paths=source_relative \
//	       --erpc_out=. --erpc_opt=paths=source_relative chat.proto
//
// docs/protobuf.md describes it.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		version := "(devel)"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			version = info.Main.Version
		}
		fmt.Println("protoc-gen-erpc", version)
		return
	}
	options, suffix := options()
	options.Run(func(plugin *protogen.Plugin) error { return generate(plugin, *suffix) })
}

// options returns the options of the plugin, and a pointer to the option
// package_suffix.
func options() (protogen.Options, *string) {
	fs := flag.NewFlagSet("protoc-gen-erpc", flag.ContinueOnError)
	suffix := fs.String("package_suffix", "erpc", "the generated package is a directory below that of the messages, with their package's name and this suffix; empty puts the code into the package of the messages")
	return protogen.Options{ParamFunc: fs.Set}, suffix
}

// generate generates the code of all files that protoc names.
func generate(plugin *protogen.Plugin, suffix string) error {
	plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL | pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	plugin.SupportedEditionsMinimum = descriptorpb.Edition_EDITION_PROTO2
	plugin.SupportedEditionsMaximum = descriptorpb.Edition_EDITION_2024
	names := names{}
	for _, file := range plugin.Files {
		if !file.Generate || len(file.Services) == 0 {
			continue
		}
		if err := generateFile(plugin, file, suffix, names); err != nil {
			return err
		}
	}
	return nil
}
