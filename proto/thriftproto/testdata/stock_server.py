"""A server of Thrift's Python library: stock_server.py TRANSPORT PROTOCOL.

It prints its port, then a line for each note, and ends when its input does.
What the thrift compiler made of calculator.thrift is in PYTHONPATH.
"""

import sys
import threading

from calculator import Calculator
from calculator.ttypes import Item, Overflow
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.protocol.TCompactProtocol import TCompactProtocolFactory
from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.THeaderTransport import THeaderClientType
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TFramedTransportFactory, TTransportFactoryBase


class Handler:
    def add(self, a, b):
        if a + b >= 2**31:
            raise Overflow(why="too large", code=7)
        return a + b

    def echo(self, item):
        return item

    def get_items(self, n):
        return [Item(name="x" * i, count=i) for i in range(n)]

    def ping(self):
        pass

    def fail(self, text):
        raise RuntimeError("bad thing: " + text)

    def note(self, text):
        print("noted " + text, flush=True)


def main(transport, wire):
    processor = Calculator.Processor(Handler())
    del processor._processMap["missing"]
    both = TMultiplexedProcessor()
    both.registerDefault(processor)
    both.registerProcessor("Calculator", processor)
    frames, protocol = TFramedTransportFactory(), TBinaryProtocolFactory()
    if transport == "header":
        frames, protocol = TTransportFactoryBase(), THeaderProtocolFactory([THeaderClientType.HEADERS])
    elif wire == "compact":
        protocol = TCompactProtocolFactory()
    socket = TServerSocket("127.0.0.1", 0)
    socket.listen()
    # Listening again would take another port.
    port, socket.listen = socket.handle.getsockname()[1], lambda: None
    server = TThreadedServer(both, socket, frames, protocol, daemon=True)
    threading.Thread(target=server.serve, daemon=True).start()
    print("READY %d" % port, flush=True)
    sys.stdin.read()


main(*sys.argv[1:])
