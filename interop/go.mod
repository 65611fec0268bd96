module github.com/goerpc/erpc/interop

go 1.26.0

require (
	github.com/andeya/erpc/v7 v7.2.2
	github.com/gogo/protobuf v1.3.2
	go.uber.org/goleak v1.3.0
)

require (
	github.com/andeya/cfgo v0.0.0-20220626152948-7980c5d761c8 // indirect
	github.com/andeya/goutil v1.0.0 // indirect
	github.com/apache/thrift v0.17.0 // indirect
	github.com/golang/protobuf v1.5.3 // indirect
	github.com/klauspost/cpuid/v2 v2.2.2 // indirect
	github.com/klauspost/reedsolomon v1.11.3 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/quic-go/quic-go v0.38.1 // indirect
	github.com/templexxx/cpu v0.0.9 // indirect
	github.com/templexxx/xorsimd v0.4.1 // indirect
	github.com/tidwall/gjson v1.14.1 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	github.com/tjfoc/gmsm v1.4.1 // indirect
	github.com/xtaci/kcp-go/v5 v5.6.1 // indirect
	golang.org/x/crypto v0.4.0 // indirect
	golang.org/x/exp v0.0.0-20221205204356-47842c84f3db // indirect
	golang.org/x/net v0.10.0 // indirect
	golang.org/x/sys v0.8.0 // indirect
	google.golang.org/protobuf v1.28.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)

replace github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.38.1
