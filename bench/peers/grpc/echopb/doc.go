// Package echopb is the generated code of the gRPC peer's service.
package echopb

//go:generate protoc -I . -I ../../../rig/benchpb --go-grpc_out=paths=source_relative:. echo.proto
