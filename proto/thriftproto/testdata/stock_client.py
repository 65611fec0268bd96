"""A client of Thrift's Python library that makes every kind of call.

stock_client.py PORT TRANSPORT PROTOCOL [SERVICE]: framed or header; binary,
compact or "compact zlib"; and the service of a multiplexed client. It prints OK or fails.
What the thrift compiler made of calculator.thrift is in PYTHONPATH.
"""

import sys

from calculator import Calculator
from calculator.ttypes import Item, Overflow
from thrift.Thrift import TApplicationException
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID, THeaderTransformID
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport


def protocol(socket, transport, wire):
    if transport == "header":
        sub = THeaderSubprotocolID.COMPACT if "compact" in wire else THeaderSubprotocolID.BINARY
        header = THeaderProtocol(socket, [THeaderClientType.HEADERS], sub)
        if "zlib" in wire:
            header.trans.add_transform(THeaderTransformID.ZLIB)
        return header
    framed = TFramedTransport(socket)
    return TCompactProtocol(framed) if wire == "compact" else TBinaryProtocol(framed)


def want(what, got, wanted):
    if got != wanted:
        raise AssertionError("%s: %r, want %r" % (what, got, wanted))


def raises(what, kind, call):
    try:
        got = call()
    except kind as e:
        return e
    raise AssertionError("%s: %r, want a %s" % (what, got, kind.__name__))


def exception(what, number, text, call):
    e = raises(what, TApplicationException, call)
    want(what, e.type, number)
    if text not in e.message:
        raise AssertionError("%s: %r, want %r in it" % (what, e.message, text))


def main(port, transport, wire, service=None):
    socket = TSocket("127.0.0.1", int(port))
    socket.setTimeout(20000)
    proto = protocol(socket, transport, wire)
    proto.trans.open()
    calc = Calculator.Client(proto)
    if service:
        calc._oprot = TMultiplexedProtocol(proto, service)

    want("add", calc.add(2, 40), 42)
    e = raises("overflow", Overflow, lambda: calc.add(2**31 - 1, 1))
    want("overflow", (e.why, e.code), ("too large", 7))
    item = Item(name="n\u00e4me", count=-2**63, prices=[1.5, -0.25], flags={"a": True, "b": False},
                sizes={-1, 300}, sold=True, blob=b"\x00\xff", small=-8,
                rest=Item(name="rest", prices=[0.0] * 20, flags={}, sizes=set(), sold=False, blob=b"", count=0, small=0))
    want("echo", calc.echo(item), item)
    want("get_items", [i.count for i in calc.get_items(300)], list(range(300)))
    want("get_items of none", calc.get_items(0), [])
    want("ping", calc.ping(), None)
    exception("fail", TApplicationException.INTERNAL_ERROR, "bad thing: cause \u00e9", lambda: calc.fail("cause \u00e9"))
    exception("missing", TApplicationException.UNKNOWN_METHOD, "missing", lambda: calc.missing(1))
    calc.note("noted")
    want("add after that", calc.add(-1, 1), 0)
    proto.trans.close()
    print("OK")


main(*sys.argv[1:])
