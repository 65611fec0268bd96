package main

import (
	"fmt"
	"time"

	"github.com/andeya/erpc/v7"
	"github.com/andeya/erpc/v7/plugin/secure"
	thrifttest "github.com/andeya/erpc/v7/proto/thriftproto/gen-go/thriftproto_test"
)

// thriftChecks are the calls of the thrift vectors, whose methods are named the
// RPC way.
var thriftChecks = []check{
	{"home/test", thriftMethods, value("Home.Test", 't', &author, thrifttest.Test{Author: "andeya->OK"}, erpc.WithAddMeta("peer_id", "110"))},
	{"home/test-gzip", thriftMethods | gzipFilter, value("Home.Test", 't', &author, thrifttest.Test{Author: "andeya->OK"}, erpc.WithXferPipe('g'))},
	{"home/json", thriftMethods | anyBody, value("Home.Json", 'j', map[string]int{"a": 1}, map[string]int{"a": 1})},
	{"home/fail", thriftMethods | status, homeFail},
	{"home/enc", thriftMethods, echo("/enc/thrift", 't', &author)},
	{"home/push", thriftMethods | push, func(c *client) outcome {
		stat := c.sess.Push("Note.Say", &thrifttest.Test{Author: "pushed"}, erpc.WithBodyCodec('t'))
		return outcome{status: stat, err: wantOK(stat)}
	}},
	{"home/test-after", thriftMethods, value("Home.Test", 't', &author, thrifttest.Test{Author: "andeya->OK"})},
}

func homeFail(c *client) outcome {
	var got thrifttest.Test
	cmd, err := c.call("Home.Fail", &author, &got, erpc.WithBodyCodec('t'))
	if err != nil {
		return outcome{err: err}
	}
	return outcome{status: cmd.Status(), err: expected(
		statusLine{Code: 1001, Msg: "bad thing", Cause: "cause"}, *newStatusLine(cmd.Status()))}
}

var pluginChecks = []check{
	{"auth", authToken, func(c *client) outcome {
		return outcome{got: c.answer, err: expected("pass", c.answer)}
	}},
	{"secure/call", anyBody | securePlugin, encrypted(true, secure.WithSecureMeta())},
	{"secure/accept", anyBody | securePlugin, encrypted(true, secure.WithAcceptSecureMeta(true))},
	{"secure/refuse", anyBody | securePlugin, encrypted(false, secure.WithSecureMeta(), secure.WithAcceptSecureMeta(false))},
	{"secure/clear", anyBody | securePlugin, encrypted(false)},
	{"secure/pb", anyBody | securePlugin | codecs | anyByte, echo("/enc/pb", 'p', &pair, secure.WithSecureMeta())},
	{"secure/fail", anyBody | securePlugin | status, failure("/math/fail", 1001, "bad thing", "cause & x=1 100%", secure.WithSecureMeta())},
	{"secure/push", anyBody | securePlugin | push, pushText("/note/say", "secret", secure.WithSecureMeta())},
	{"heartbeat", heartbeatPing, awaitHeartbeat},
}

// encrypted adds with these settings, and wants the reply to be marked as
// encrypted or not.
func encrypted(marked bool, settings ...erpc.MessageSetting) func(*client) outcome {
	settings = append(settings, erpc.WithBodyCodec('j'))
	return func(c *client) outcome {
		var got int
		cmd, err := c.call("/math/add", []int{1, 2, 3}, &got, settings...)
		if err != nil {
			return outcome{err: err}
		}
		o := outcome{got: got, status: cmd.Status(), err: wantOK(cmd.Status())}
		if o.err == nil {
			o.err = expected(6, got)
		}
		if o.err != nil {
			return o
		}
		if mark := string(cmd.InputMeta().Peek(secure.SECURE_META_KEY)); (mark == "true") != marked {
			o.err = fmt.Errorf("reply's %s is %q", secure.SECURE_META_KEY, mark)
		}
		return o
	}
}

// awaitHeartbeat leaves the session idle until the plugin has had its exchange,
// and wants the session to be alive then.
func awaitHeartbeat(c *client) outcome {
	timer := time.NewTimer(heartbeatLimit)
	defer timer.Stop()
	select {
	case <-c.beats.answered:
	case <-c.sess.CloseNotify():
		return outcome{err: fmt.Errorf("session closed before a heartbeat")}
	case <-timer.C:
		return outcome{err: fmt.Errorf("no heartbeat within %s", heartbeatLimit)}
	}
	return value("/math/add", 'j', []int{8}, 8)(c)
}
