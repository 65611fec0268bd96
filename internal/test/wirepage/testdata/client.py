"""A client of erpc, written from docs/wire.md with the standard library only.

usage: client.py raw|json|pb PORT

It talks to the peer of page_test.go and prints "ok" if everything that came
back is what the page promises.
"""
import json
import random
import socket
import struct
import sys

CALL, REPLY, PUSH = 1, 2, 3
STREAM_OPEN, STREAM_DATA, STREAM_END, STREAM_CREDIT, STREAM_FULL = 6, 7, 8, 9, 10
JSON = ord("j")
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-*")


class Message:
    def __init__(self, seq=0, mtype=0, method=b"", status=b"code=0", meta=b"", codec=0, body=b""):
        self.seq, self.mtype, self.method = seq, mtype, method
        self.status, self.meta, self.codec, self.body = status, meta, codec, body

    def fields(self):
        return "%d %d %r %r %r %d %r" % (
            self.seq, self.mtype, self.method, self.status, self.meta, self.codec, self.body)


# Query text.

def escape(text):
    return b"".join(bytes([c]) if c in PLAIN else b"%%%02X" % c for c in text)


def unescape(text):
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] == ord("%"):
            try:
                out.append(int(text[i + 1:i + 3].decode("ascii"), 16))
                i += 3
                continue
            except ValueError:
                pass  # a malformed escape stays as it is
        out.append(ord(" ") if text[i] == ord("+") else text[i])
        i += 1
    return bytes(out)


def query(pairs):
    return b"&".join(escape(k) + b"=" + escape(v) for k, v in pairs)


def parse_query(text):
    pairs = {}
    for pair in text.split(b"&"):
        if pair:
            k, _, v = pair.partition(b"=")
            pairs.setdefault(unescape(k), unescape(v))
    return pairs


# The raw protocol.

DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyz"


def base36(n):
    if n < 0:
        return b"-" + base36(-n)
    out = b""
    while True:
        out = DIGITS[n % 36:n % 36 + 1] + out
        n //= 36
        if n == 0:
            return out


def raw_pack(m):
    seq = base36(m.seq)
    inner = bytes([len(seq)]) + seq + bytes([m.mtype, len(m.method)]) + m.method
    inner += struct.pack(">H", len(m.status)) + m.status
    inner += struct.pack(">H", len(m.meta)) + m.meta + bytes([m.codec]) + m.body
    return struct.pack(">I", 4 + 1 + len(inner)) + b"\x00" + inner


def raw_unpack(inner):
    at = 0

    def take(n):
        nonlocal at
        part = inner[at:at + n]
        if len(part) < n:
            raise ValueError("a frame shorter than its header")
        at += n
        return part

    m = Message()
    m.seq = int(take(take(1)[0]).decode("ascii"), 36)
    m.mtype = take(1)[0]
    m.method = take(take(1)[0])
    m.status = take(struct.unpack(">H", take(2))[0])
    m.meta = take(struct.unpack(">H", take(2))[0])
    m.codec = take(1)[0]
    m.body = inner[at:]
    return m


# The JSON protocol. Texts are bytes: latin-1 maps each to one character.

def json_text(b):
    out = '"'
    for c in b.decode("latin-1"):
        if c in '"\\':
            out += "\\" + c
        elif ord(c) < 0x20:
            out += "\\u%04x" % ord(c)
        else:
            out += c
    return out + '"'


def json_pack(m):
    text = '{"seq":%d,"mtype":%d,"serviceMethod":%s,"status":%s,"meta":%s,"bodyCodec":%d,"body":%s}' % (
        m.seq, m.mtype, json_text(m.method), json_text(m.status), json_text(m.meta), m.codec, json_text(m.body))
    inner = b"\x00" + text.encode("latin-1")
    return struct.pack(">I", len(inner)) + inner


def json_unpack(inner):
    v = json.loads(inner.decode("latin-1"))
    return Message(v["seq"], v["mtype"], v["serviceMethod"].encode("latin-1"), v["status"].encode("latin-1"),
                   v["meta"].encode("latin-1"), v["bodyCodec"], v["body"].encode("latin-1"))


# The protobuf protocol.

def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(b, at):
    n = shift = 0
    while True:
        n |= (b[at] & 0x7F) << shift
        at += 1
        if b[at - 1] < 0x80:
            return n, at
        shift += 7


def pb_pack(m):
    inner = b""
    for number, value in enumerate([m.seq, m.mtype, m.method, m.status, m.meta, m.codec, m.body], 1):
        if not value:
            continue
        if isinstance(value, int):
            inner += varint(number << 3) + varint(value)
        else:
            inner += varint(number << 3 | 2) + varint(len(value)) + value
    inner = b"\x00" + inner
    return struct.pack(">I", len(inner)) + inner


def pb_unpack(inner):
    at, values = 0, {1: 0, 2: 0, 3: b"", 4: b"", 5: b"", 6: 0, 7: b""}
    while at < len(inner):
        tag, at = read_varint(inner, at)
        n, at = read_varint(inner, at)
        if tag & 7 == 2:
            values[tag >> 3], at = inner[at:at + n], at + n
        elif tag & 7 == 0:
            values[tag >> 3] = n - (1 << 64) if n >= 1 << 63 else n
        else:
            raise ValueError("wire type %d" % (tag & 7))
    return Message(*(values[n] for n in range(1, 8)))


FORMATS = {"raw": (raw_pack, raw_unpack, 4), "json": (json_pack, json_unpack, 0), "pb": (pb_pack, pb_unpack, 0)}


class Connection:
    def __init__(self, protocol, port):
        self.pack, self.unpack, self.own = FORMATS[protocol]
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.sock.makefile("rb")
        self.seq = 0

    def send(self, mtype, method=b"", body=b"", meta=(), seq=None, codec=JSON):
        if seq is None:
            self.seq += 1
            seq = self.seq
        self.sock.sendall(self.pack(Message(seq, mtype, method, meta=query(meta), codec=codec, body=body)))
        return seq

    def receive(self):
        """Returns the next message, or None at the end of the connection."""
        head = self.stream.read(4)
        if not head:
            return None
        frame = self.stream.read(struct.unpack(">I", head)[0] - self.own)
        if frame[0] != 0:
            raise ValueError("transfer filters, which nobody asked for")
        return self.unpack(frame[1:])

    def expect(self, mtype, seq=None, method=None):
        m = self.receive()
        if m is None:
            raise ValueError("the connection has ended")
        if m.mtype != mtype or seq not in (None, m.seq) or method not in (None, m.method):
            raise ValueError("got " + m.fields())
        return m


def want(what, got, expected):
    if got != expected:
        raise ValueError("%s is %r, want %r" % (what, got, expected))


def calls(c):
    """A reply with metadata, statuses, a push, and a call the other way."""
    seq = c.send(CALL, b"/math/add", b"[1,2,3]", [(b"author", b"A & \xc3\xa9+%")])
    m = c.expect(REPLY, seq)
    want("sum", (m.body, m.codec), (b"6", JSON))
    want("status", parse_query(m.status).get(b"code"), b"0")
    want("metadata", parse_query(m.meta).get(b"author-was"), b"A & \xc3\xa9+%")

    m = c.expect(REPLY, c.send(CALL, b"/nowhere", b"1"))
    want("status", parse_query(m.status)[b"code"], b"404")
    m = c.expect(REPLY, c.send(CALL, b"/refuse", b"1"))
    want("status", parse_query(m.status), {b"code": b"1001", b"msg": b"no, thank you", b"cause": b"100% sure"})

    seq = c.send(CALL, b"/turn", b'"anna"')  # the server pushes, and calls, before it replies
    m = c.expect(PUSH, method=b"/news")
    want("push", m.body, b'"hello anna"')
    m = c.expect(CALL, method=b"/name")
    c.send(REPLY, b"", json.dumps(json.loads(m.body.decode()) + "!").encode(), seq=m.seq)
    want("turn", c.expect(REPLY, seq).body, b'"anna!"')

    # Replies in another order than calls.
    slow, fast = c.send(CALL, b"/wait", b"1"), c.send(CALL, b"/math/add", b"[1]")
    c.expect(REPLY, fast)
    c.send(PUSH, b"/release", b"1")
    c.expect(REPLY, slow)


def deadlines(c):
    """A deadline makes the server say hello; a cancelled call ends its handler."""
    seq = random.randrange(1 << 24, 1 << 30)
    c.send(CALL, b"/hang", b"1", [(b"X-Erpc-Timeout", b"0"), (b"X-Erpc-Hello", b"%d" % seq)], seq=seq)
    hello = parse_query(c.expect(PUSH, seq, b"/erpc.control/hello").meta)[b"X-Erpc-Hello"]
    want("hello", int(hello.split(b" ")[0]), seq)
    c.send(PUSH, b"/erpc.control/cancel", seq=seq)
    c.expect(REPLY, seq)
    seq = c.send(CALL, b"/hang", b"1", [(b"X-Erpc-Timeout", b"20")])
    c.expect(REPLY, seq)


def streams(c):
    """Capabilities, then a stream whose handler sends back what it gets."""
    number = random.randrange(1 << 24, 1 << 30)
    c.send(CALL, b"/erpc.control/caps", b"", [(b"X-Erpc-Caps", b"1.1.%d" % (number + 1))], seq=number)
    want("status", parse_query(c.expect(REPLY, number).status)[b"code"], b"404")
    c.send(CALL, b"/erpc.control/caps", b"", [(b"X-Erpc-Caps", b"1.1.%d" % number)], seq=number)
    version, bits, proof = parse_query(c.expect(REPLY, number).meta)[b"X-Erpc-Caps"].split(b".")[:3]
    want("capabilities", (int(version) >= 1, int(bits) & 1, int(proof)), (True, 1, number))

    c.send(STREAM_OPEN, b"/echo", seq=1)
    big = b'"' + b"x" * 70000 + b'"'
    for body, mtype in [(b'"a"', STREAM_DATA), (big, STREAM_FULL)]:
        c.send(mtype, b"", body, seq=1)
    got, credited = [], 0
    while len(got) < 2 or credited < 2:
        m = c.receive()
        want("stream", m.seq, -1)
        if m.mtype == STREAM_CREDIT:
            count, window = m.method.split(b".")
            want("window", int(window) >= 65536, True)
            credited = int(count)
            continue
        if m.mtype not in (STREAM_DATA, STREAM_FULL):
            raise ValueError("got " + m.fields())
        got.append(m.body)
        if m.mtype == STREAM_FULL:
            c.send(STREAM_CREDIT, b"%d.65536" % len(got), seq=1, codec=0)
    want("echo", got, [b'"a"', big])
    c.send(STREAM_END, seq=1, codec=0)
    while True:
        m = c.receive()
        if m.mtype != STREAM_CREDIT:
            break
    want("end", (m.mtype, m.seq, parse_query(m.status).get(b"code")), (STREAM_END, -1, b"0"))

    c.send(STREAM_OPEN, b"/nowhere", seq=2)
    m = c.expect(STREAM_END, -2)
    want("status", parse_query(m.status)[b"code"], b"404")


def leaving(c):
    """The server shuts down: it says so, and closes when this side has no more calls."""
    seq = c.send(CALL, b"/shutdown", b"1")
    got = sorted((m.mtype, m.seq, m.method) for m in (c.receive(), c.receive()))
    want("leave", got, [(REPLY, seq, b""), (PUSH, 0, b"/erpc.control/goaway")])
    m = c.expect(REPLY, c.send(CALL, b"/math/add", b"[1]"))
    want("status", parse_query(m.status)[b"code"], b"503")
    c.send(PUSH, b"/erpc.control/bye", seq=0, codec=0)
    m = c.receive()
    want("why", (m.mtype, m.seq, m.method), (PUSH, 0, b"/erpc.control/end"))
    want("end", c.receive(), None)


def main():
    c = Connection(sys.argv[1], int(sys.argv[2]))
    for part in (calls, deadlines, streams, leaving):
        try:
            part(c)
        except Exception as e:
            raise SystemExit("%s: %r" % (part.__name__, e))
    print("ok")


main()
