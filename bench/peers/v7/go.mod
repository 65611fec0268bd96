module github.com/goerpc/erpc/bench/peers/v7

go 1.26.0

// erpc v7.2.2 compiles with no later one.
replace github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.38.1

require (
	github.com/andeya/erpc/v7 v7.2.2
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/andeya/cfgo v0.0.0-20220626152948-7980c5d761c8 // indirect
	github.com/andeya/goutil v1.0.0 // indirect
	github.com/apache/thrift v0.17.0 // indirect
	github.com/goerpc/erpc/bench/rig v0.0.0
	github.com/go-task/slim-sprig v0.0.0-20230315185526-52ccab3ef572 // indirect
	github.com/gogo/protobuf v1.3.2 // indirect
	github.com/golang/mock v1.6.0 // indirect
	github.com/google/pprof v0.0.0-20221203041831-ce31453925ec // indirect
	github.com/klauspost/cpuid/v2 v2.2.2 // indirect
	github.com/klauspost/reedsolomon v1.11.3 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/onsi/ginkgo/v2 v2.9.5 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/quic-go/qtls-go1-20 v0.3.3 // indirect
	github.com/quic-go/quic-go v0.38.1 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	github.com/templexxx/cpu v0.0.9 // indirect
	github.com/templexxx/xorsimd v0.4.1 // indirect
	github.com/tjfoc/gmsm v1.4.1 // indirect
	github.com/xtaci/kcp-go/v5 v5.6.1 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/exp v0.0.0-20221205204356-47842c84f3db // indirect
	golang.org/x/mod v0.21.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sync v0.8.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)

replace github.com/goerpc/erpc/bench/rig => ../../rig
