// Streams of erpc for browsers: many messages under one method, in both directions. See
// docs/wire.md for the frames and the flow control. erpc.js uses this module; programs
// get streams from Peer.stream and Peer.onStream.

const OPEN = 6, DATA = 7, END = 8, CREDIT = 9, FULL = 10;
const INITIAL_WINDOW = 64 * 1024; // bytes in each direction, until a credit changes it
const MAX_WINDOW = 1024 * 1024; // the largest window that this side announces
const MAX_MESSAGE = 4 * 1024 * 1024; // bytes of a received message
const MIN_CHARGE = 256; // bytes of the window that the smallest message uses
const MAX_UNCREDITED = 64; // messages taken before a credit is due
const MAX_STREAMS = 1000; // streams that the other side may have open

const charge = (body) => Math.max(MIN_CHARGE, new TextEncoder().encode(body).length);

// Window tracks how much this side may still send on a stream.
class Window {
  #size = INITIAL_WINDOW; #unacked = 0; #charges = []; #acked = 0; #waiting = []; #error = null;

  // acquire resolves when the next message may be sent, with whether the message uses the
  // window up. Messages are sent in the order of the calls.
  acquire(n) {
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ n, resolve, reject });
      this.#go();
    });
  }

  credit(count, size) {
    if (count > this.#acked + this.#charges.length) return false;
    for (; this.#acked < count; this.#acked++) this.#unacked -= this.#charges.shift();
    this.#size = size;
    this.#go();
    return true;
  }

  close(error) {
    this.#error = this.#error || error;
    for (const w of this.#waiting.splice(0)) w.reject(this.#error);
  }

  #go() {
    while (this.#waiting.length > 0 && this.#unacked < this.#size) {
      const { n, resolve } = this.#waiting.shift();
      this.#unacked += n;
      this.#charges.push(n);
      resolve(this.#unacked >= this.#size);
    }
  }
}

/** One end of a stream, and an async iterable of the messages from the other side. */
export class Stream {
  #link; #key; #codec; #window = new Window(); #inbox = []; #queued = 0; #taking = null;
  #size = INITIAL_WINDOW; #taken = 0; #owed = 0; #owedCount = 0;
  #sendClosed = false; #recvClosed = false; #outcome = null; #abort = new AbortController(); #draining = new AbortController();
  #opened; #finished; #finish; #signalled = () => {};

  /** @private Made by Streams. */
  constructor(codec) {
    this.#codec = codec;
    this.#finished = new Promise((resolve) => { this.#finish = resolve; });
    this.#opened = new Promise((resolve) => { this._ready = resolve; });
  }

  /** Aborts when the stream has ended. */
  get signal() { return this.#abort.signal; }

  /** Aborts when the other side begins to shut down, or asks for the end of this stream. The stream goes on, but should end soon. */
  get draining() { return this.#draining.signal; }

  /** Resolves when the stream has ended: with null after success, else with a StatusError. */
  get ended() { return this.#finished; }

  /** Sends a message. Resolves when it was passed to the connection; it may wait for the program of the other side. */
  async send(message) {
    await this.#opened;
    if (this.#outcome) throw this.#outcome.error || this.#codec.closed();
    if (this.#sendClosed) throw new TypeError("erpc: send after closeSend");
    const body = this.#codec.encode(message);
    const full = await this.#window.acquire(charge(body));
    if (this.#outcome) throw this.#outcome.error || this.#codec.closed();
    this.#link.frame(full ? FULL : DATA, -this.#key, { body });
  }

  /** Tells the other side that this side sends no more messages. */
  async closeSend() {
    await this.#opened;
    if (this.#sendClosed || this.#outcome) return;
    this.#sendClosed = true;
    this.#link.frame(END, -this.#key, {});
  }

  /** Resolves with { value, done }: the next message, or done after the last. Rejects with the status of a failed stream. */
  async next() {
    for (;;) {
      if (this.#inbox.length > 0) return { value: this.#take(), done: false };
      if (this.#outcome?.error) throw this.#outcome.error;
      if (this.#outcome || this.#recvClosed) return { value: undefined, done: true };
      if (this.#taking) throw new TypeError("erpc: one reader of a stream at a time");
      await new Promise((resolve) => { this.#taking = resolve; });
    }
  }

  /** Ends the loop of a reader: closes the stream. */
  async return(value) {
    this.close();
    return { value, done: true };
  }

  [Symbol.asyncIterator]() { return this; }

  /** Ends the stream if it has not ended; the context of its handler ends. */
  close() { this._end(this.#codec.canceled(), true, true); }

  #take() {
    const { body, n, full } = this.#inbox.shift();
    this.#queued -= n;
    this.#taken++;
    this.#owed += n;
    this.#owedCount++;
    if (!this.#outcome && !this.#recvClosed) {
      if (full && this.#inbox.length === 0) this.#size = Math.min(MAX_WINDOW, this.#size * 2);
      if (full || this.#owed >= this.#size / 2 || this.#owedCount >= MAX_UNCREDITED) {
        this.#owed = this.#owedCount = 0;
        this.#link.frame(CREDIT, -this.#key, { serviceMethod: `${this.#taken}.${this.#size}` });
      }
    }
    return this.#codec.decode(body);
  }

  #wake() {
    const resolve = this.#taking;
    this.#taking = null;
    resolve?.();
  }

  // _bind gives an opened stream its connection and key.
  _bind(link, key, signal) {
    this.#link = link;
    this.#key = key;
    if (signal) {
      const abort = () => this.close();
      signal.addEventListener("abort", abort);
      this.#signalled = () => signal.removeEventListener("abort", abort);
    }
    this._ready();
  }

  _drain() { this.#draining.abort(); }

  _data(body, full) {
    if (this.#outcome || this.#recvClosed) return;
    const n = charge(body);
    if (n > MAX_MESSAGE) return this._end(this.#codec.status(413, "Message Too Large"), true, true);
    if (this.#queued + this.#owed >= this.#size) return this._end(this.#codec.status(400, "Bad Message", "the sender has overrun the window"), true, true);
    this.#inbox.push({ body, n, full });
    this.#queued += n;
    this.#wake();
  }

  _credit(text) {
    const m = /^(\d{1,15})\.(\d{1,15})$/.exec(text || "");
    if (!m || !this.#window.credit(Number(m[1]), Number(m[2]))) this._end(this.#codec.status(400, "Bad Message", "a credit that does not count"), true, true);
  }

  _peerClosed() {
    this.#recvClosed = true;
    this.#wake();
  }

  // _end ends the stream with an error, or null. If tell is set, it tells the other side;
  // if drop is set, it drops the messages that have arrived.
  _end(error, tell, drop) {
    if (this.#outcome) return;
    this.#outcome = { error };
    if (drop) this.#inbox = [];
    this.#signalled();
    this.#window.close(error || this.#codec.closed());
    if (this.#link) {
      if (tell) this.#link.frame(END, -this.#key, { status: error ? this.#codec.statusText(error) : "" });
      this.#link.delete(this.#key);
    }
    this._ready();
    this.#wake();
    this.#abort.abort();
    this.#finish(error);
  }

  get _over() { return this.#outcome !== null; }
}

/** @private The streams of one connection. */
export class Streams {
  #byKey = new Map(); #lastID = 0; #accepted = 0; #draining = false; #codec; #send; #handlers; #ended;

  // send sends a message, handlers finds the handler of a method, and ended is called when a
  // stream has ended.
  constructor(codec, send, handlers, ended = () => {}) {
    this.#codec = codec;
    this.#send = send;
    this.#handlers = handlers;
    this.#ended = ended;
  }

  /** The number of open streams. */
  get size() { return this.#byKey.size; }

  delete(key) {
    this.#byKey.delete(key);
    this.#ended();
  }

  frame(mtype, seq, fields) { this.#send({ mtype, seq, serviceMethod: "", meta: "", bodyCodec: this.#codec.id, body: "", ...fields }); }

  open(stream, serviceMethod, meta, signal) {
    do { this.#lastID = this.#lastID >= 0x7fffffff ? 1 : this.#lastID + 1; } while (this.#byKey.has(-this.#lastID));
    const key = -this.#lastID;
    this.#byKey.set(key, stream);
    this.frame(OPEN, -key, { serviceMethod, meta });
    stream._bind(this, key, signal);
    if (this.#draining) stream._drain();
  }

  // receive handles a message, and returns whether it was a frame of a stream.
  receive(m) {
    if (m.mtype < OPEN || m.mtype > FULL) return false;
    if (m.mtype === OPEN) {
      this.#accept(m);
      return true;
    }
    const s = this.#byKey.get(m.seq);
    if (!s) return true; // the stream has ended on this side
    const body = typeof m.body === "string" ? m.body : "";
    switch (m.mtype) {
      case DATA: case FULL: s._data(body, m.mtype === FULL); break;
      case CREDIT: s._credit(m.serviceMethod); break;
      case END: {
        const error = this.#codec.parseStatus(m.status);
        if (!error && m.seq > 0) s._peerClosed(); else s._end(error, false, m.seq > 0);
      }
    }
    return true;
  }

  #accept(m) {
    const refuse = (code, msg) => this.frame(END, -m.seq, { status: this.#codec.statusText(this.#codec.status(code, msg)) });
    if (!(m.seq > 0) || this.#byKey.has(m.seq)) return refuse(400, "Bad Message");
    const f = this.#handlers(m.serviceMethod);
    if (!f) return refuse(404, "Not Found");
    if (this.#accepted >= MAX_STREAMS) return refuse(429, "Exhausted");
    this.#accepted++;
    const stream = new Stream(this.#codec);
    this.#byKey.set(m.seq, stream);
    stream._bind(this, m.seq);
    this.#serve(f, stream, m);
  }

  async #serve(f, stream, m) {
    let error = null;
    try {
      await f(stream, { meta: this.#codec.parseMeta(m.meta) });
    } catch (err) {
      error = this.#codec.thrown(err, m.serviceMethod);
    }
    this.#accepted--;
    stream._end(error, true, true);
  }

  /** The other side shuts down: all streams should end soon. */
  drain() {
    this.#draining = true;
    for (const s of [...this.#byKey.values()]) s._drain();
  }

  /** The other side wants one stream to end soon. */
  drainOne(key) { this.#byKey.get(key)?._drain(); }

  /** Ends all streams with the connection. */
  close(error) {
    for (const s of [...this.#byKey.values()]) s._end(error, false, false);
  }
}
