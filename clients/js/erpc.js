// A client of erpc for browsers: calls, pushes and handlers over one WebSocket,
// in the JSON sub-protocol. No dependencies. Types are in erpc.d.ts.
//
//   import { connect } from "./erpc.js";
//   const peer = connect("wss://example.org/ws");
//   peer.on("/chat/message", (m) => console.log(m));
//   const sum = await peer.call("/math/add", [1, 2, 3]);

import { Stream, Streams } from "./streams.js";

const CALL = 1, REPLY = 2, PUSH = 3;
const JSON_CODEC = 106;
const CONTROL = "/erpc.control/"; // messages between the libraries, not for handlers
const MOST_UNSAID = 64; // cancelled calls that are kept until the other side says hello
const CAPS = CONTROL + "caps"; // asks the other side, by a number that no proxy passes on, what it supports
const CAPS_META = "X-Erpc-Caps";
const STREAMS = 1; // the bit of streams
const MIN_CAPS_SEQ = 2 ** 24, MAX_CAPS_SEQ = 2 ** 30;
const TIMEOUT = "X-Erpc-Timeout"; // milliseconds left; 0: none, but it can be cancelled
const HELLO = "X-Erpc-Hello"; // names the number of its own message, which no proxy passes on

/** Codes of the framework; see erpc's Code… constants. */
export const Code = Object.freeze({
  ConnClosed: 102, BadMessage: 400, Unauthorized: 401, NotFound: 404, MtypeNotAllowed: 405, HandleTimeout: 408,
  TooLarge: 413, Exhausted: 429, Canceled: 499, InternalServerError: 500, ShuttingDown: 503,
});

/** A failed status, as the rejection of a call. */
export class StatusError extends Error {
  constructor(code, msg, cause) {
    super(`status ${code}${msg ? " " + msg : ""}${cause ? ": " + cause : ""}`);
    this.name = "StatusError";
    this.code = code;
    this.msg = msg || "";
    this.detail = cause || "";
  }
}

export { Stream };

/** Opens a connection; it is made again when it breaks. */
export function connect(url, options = {}) { return new Peer(url, options); }

export class Peer {
  #url; #options; #ws = null; #seq = 0; #pending = new Map(); #handlers = new Map();
  #listeners = new Set(); #waiting = []; #state = "connecting"; #attempt = 0; #timer = null;
  #ours = false; // the other side has proven that it is adjacent and understands control messages
  #hello = 0; // number of the call that asked for that proof
  #unsaid = []; // calls that were cancelled before that
  #streams = null; // of the connection
  #streamsSupported = null; // a promise, once somebody has asked on this connection
  #streamHandlers = new Map();

  constructor(url, options) {
    this.#url = url;
    this.#options = { reconnect: true, minBackoff: 100, maxBackoff: 10000, WebSocket: globalThis.WebSocket, ...options };
    if (!this.#options.WebSocket) throw new Error("erpc: this runtime has no WebSocket; pass one as options.WebSocket");
    this.#dial();
  }

  /** "connecting", "open" or "closed". */
  get state() { return this.#state; }

  /** Calls f with every new state. Returns a function that ends that. */
  onState(f) {
    this.#listeners.add(f);
    return () => this.#listeners.delete(f);
  }

  /** Makes f the handler of pushes and calls to method: f(argument, { meta, push }). */
  on(method, f) {
    this.#handlers.set(method, f);
    return this;
  }

  /** Resolves with the reply, or rejects with a StatusError. */
  async call(method, arg, { signal, timeout, meta } = {}) {
    const end = timeout > 0 ? Date.now() + timeout : 0;
    await this.#open(signal, end);
    return new Promise((resolve, reject) => {
      const asks = (signal || end) && !this.#ours && !this.#hello;
      const seq = asks ? this.#random() : this.#next();
      const call = { resolve, reject, done: () => {} };
      const fail = (code, msg) => {
        if (!this.#pending.delete(seq)) return;
        call.done();
        if (this.#ours) this.#cancel(seq);
        else if (this.#unsaid.length < MOST_UNSAID) this.#unsaid.push(seq);
        reject(new StatusError(code, msg));
      };
      const abort = () => fail(Code.Canceled, "Canceled");
      const timer = end ? setTimeout(() => fail(Code.HandleTimeout, "Handle Timeout"), end - Date.now()) : null;
      call.done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort);
      const pairs = Object.entries(meta || {});
      if (signal || end) pairs.push([TIMEOUT, String(end ? Math.max(1, end - Date.now()) : 0)]);
      if (asks) {
        this.#hello = seq;
        pairs.push([HELLO, String(seq)]);
      }
      this.#pending.set(seq, call);
      this.#send({ seq, mtype: CALL, serviceMethod: method, meta: query(pairs), bodyCodec: JSON_CODEC, body: encode(arg) });
    });
  }

  /**
   * Opens a stream to method and returns it at once. An argument, if there is one,
   * is its first message: for await (const m of peer.stream("/prices", "EUR")).
   */
  stream(method, arg, { signal, timeout, meta } = {}) {
    const stream = new Stream(codec);
    const end = timeout > 0 ? Date.now() + timeout : 0;
    if (end) {
      const timer = setTimeout(() => stream._end(new StatusError(Code.HandleTimeout, "Handle Timeout"), true, true), timeout);
      stream.ended.then(() => clearTimeout(timer));
    }
    const fail = (err) => stream._end(err, false, true);
    this.#openStream(stream, method, { signal, end, meta }).then(() => {
      if (arg !== undefined) return stream.send(arg);
    }).catch(fail);
    return stream;
  }

  /** Makes f the handler of streams to method: f(stream, { meta }). The stream ends when f does. */
  onStream(method, f) {
    this.#streamHandlers.set(method, f);
    return this;
  }

  async #openStream(stream, method, { signal, end, meta }) {
    await this.#open(signal, end);
    if (!(await this.#supportsStreams())) throw new StatusError(Code.MtypeNotAllowed, "Message Type Not Allowed", "the other side does not support streams");
    if (stream._over) return;
    if (!this.#streams) throw new StatusError(Code.ConnClosed, "Connection Closed");
    const pairs = Object.entries(meta || {});
    if (end) pairs.push([TIMEOUT, String(Math.max(1, end - Date.now()))]);
    this.#streams.open(stream, method, query(pairs), signal);
  }

  /** A number for a proof. */
  #random() {
    for (;;) {
      const seq = MIN_CAPS_SEQ + Math.floor(Math.random() * (MAX_CAPS_SEQ - MIN_CAPS_SEQ));
      if (!this.#pending.has(seq)) return seq;
    }
  }

  /** Asks the other side once for each connection. */
  #supportsStreams() {
    return (this.#streamsSupported ??= new Promise((resolve, reject) => {
      const seq = this.#random();
      this.#pending.set(seq, {
        done: () => {},
        reply: (m) => {
          const caps = parseCaps(parseQuery(m.meta)[CAPS_META]);
          const proven = !parseStatus(m.status) && caps?.seq === seq;
          if (proven) this.#proven();
          resolve(proven && (caps.bits & STREAMS) !== 0);
        },
        reject,
      });
      this.#send({ seq, mtype: CALL, serviceMethod: CAPS, meta: query([[CAPS_META, `1.${STREAMS}.${seq}`]]), bodyCodec: 0, body: "" });
    }));
  }

  /** Answers such a question. */
  #caps(m) {
    const caps = parseCaps(parseQuery(m.meta)[CAPS_META]);
    if (caps?.seq !== m.seq || m.seq < MIN_CAPS_SEQ) return false;
    this.#streamsSupported = Promise.resolve((caps.bits & STREAMS) !== 0);
    this.#send({ seq: m.seq, mtype: REPLY, serviceMethod: "", meta: query([[CAPS_META, `1.${STREAMS}.${m.seq}`]]), bodyCodec: 0, body: "" });
    return true;
  }

  /** Sends without a reply. Resolves when it was handed to the connection. */
  async push(method, arg, { signal, meta } = {}) {
    await this.#open(signal, 0);
    this.#send({ seq: this.#next(), mtype: PUSH, serviceMethod: method, meta: query(Object.entries(meta || {})), bodyCodec: JSON_CODEC, body: encode(arg) });
  }

  /** Ends the connection for good. Calls in flight fail. */
  close() {
    if (this.#state === "closed") return;
    this.#setState("closed");
    clearTimeout(this.#timer);
    this.#ws?.close(1000);
    this.#drop();
  }

  #next() { return (this.#seq = this.#seq >= 0x7fffffff ? 1 : this.#seq + 1); }

  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    for (const f of [...this.#listeners]) f(state);
  }

  #dial() {
    const ws = (this.#ws = new this.#options.WebSocket(this.#url));
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      if (this.#ws !== ws || this.#state === "closed") return ws.close();
      this.#attempt = 0;
      this.#ours = false;
      this.#hello = 0;
      this.#unsaid = [];
      this.#streamsSupported = null;
      this.#streams = new Streams(codec, (m) => { if (this.#ws === ws) this.#send(m); }, (method) => this.#streamHandlers.get(method));
      this.#setState("open");
      for (const w of this.#waiting.splice(0)) w.open();
    };
    ws.onmessage = (event) => this.#receive(event.data);
    ws.onclose = () => this.#broken(ws);
    ws.onerror = () => {}; // onclose follows
  }

  #broken(ws) {
    if (this.#ws !== ws || this.#state === "closed") return;
    this.#ws = null;
    this.#failPending();
    if (!this.#options.reconnect) {
      this.#setState("closed");
      this.#drop();
      return;
    }
    this.#setState("connecting");
    const { minBackoff, maxBackoff } = this.#options;
    const most = Math.min(maxBackoff, minBackoff * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.#dial(), most / 2 + Math.random() * (most / 2));
  }

  #failPending() {
    this.#streams?.close(new StatusError(Code.ConnClosed, "Connection Closed"));
    this.#streams = null;
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const c of calls) {
      c.done();
      c.reject(new StatusError(Code.ConnClosed, "Connection Closed"));
    }
  }

  #drop() {
    this.#failPending();
    for (const w of this.#waiting.splice(0)) w.fail(new StatusError(Code.ConnClosed, "Connection Closed"));
  }

  /** Waits until the connection is open. */
  #open(signal, end) {
    if (signal?.aborted) return Promise.reject(new StatusError(Code.Canceled, "Canceled"));
    if (this.#state === "open") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(new StatusError(Code.ConnClosed, "Connection Closed"));
    return new Promise((resolve, reject) => {
      const entry = {};
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        const i = this.#waiting.indexOf(entry);
        if (i >= 0) this.#waiting.splice(i, 1);
      };
      const abort = () => { leave(); reject(new StatusError(Code.Canceled, "Canceled")); };
      const timer = end ? setTimeout(() => { leave(); reject(new StatusError(Code.HandleTimeout, "Handle Timeout")); }, end - Date.now()) : null;
      entry.open = () => { leave(); resolve(); };
      entry.fail = (err) => { leave(); reject(err); };
      signal?.addEventListener("abort", abort);
      this.#waiting.push(entry);
    });
  }

  #send(m) {
    // The order is that of the Go side; a status stands last.
    const out = { seq: m.seq, mtype: m.mtype, serviceMethod: m.serviceMethod, meta: m.meta || "", bodyCodec: m.bodyCodec, body: m.body, xferPipe: [] };
    if (m.status) out.status = m.status;
    this.#ws?.send(JSON.stringify(out));
  }

  #receive(data) {
    let m;
    try {
      m = JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data));
    } catch {
      this.#ws?.close(4400, "malformed message"); // what follows can't be trusted
      return;
    }
    if (this.#streams?.receive(m)) return;
    switch (m.mtype) {
      case REPLY: return this.#reply(m);
      case PUSH:
        if (m.serviceMethod.startsWith(CONTROL)) return this.#control(m);
        return void this.#handle(m, true);
      case CALL:
        if (m.serviceMethod === CAPS && this.#caps(m)) return;
        return void this.#handle(m, false);
    }
  }

  /** Tells the handler of a call that nobody waits for it any more. */
  #cancel(seq) { this.#send({ seq, mtype: PUSH, serviceMethod: CONTROL + "cancel", bodyCodec: 0, body: "" }); }

  #proven() {
    this.#ours = true;
    for (const seq of this.#unsaid.splice(0)) this.#cancel(seq);
  }

  #control(m) {
    const what = m.serviceMethod.slice(CONTROL.length);
    if (what === "hello") {
      if (this.#hello && m.seq === this.#hello && parseQuery(m.meta)[HELLO]?.split(" ")[0] === String(m.seq)) this.#proven();
      return;
    }
    if (!this.#ours) return;
    if (what === "goaway" && this.#pending.size === 0) this.#ws?.close(1000); // and connect again
  }

  #reply(m) {
    const call = this.#pending.get(m.seq);
    if (!call) return; // cancelled
    this.#pending.delete(m.seq);
    call.done();
    if (call.reply) return call.reply(m);
    const status = parseStatus(m.status);
    if (status) return call.reject(status);
    try {
      call.resolve(decode(m));
    } catch (err) {
      call.reject(new StatusError(Code.BadMessage, "Bad Message", String(err)));
    }
  }

  async #handle(m, push) {
    const reply = { seq: m.seq, mtype: REPLY, serviceMethod: "", bodyCodec: JSON_CODEC, body: "" };
    try {
      const f = this.#handlers.get(m.serviceMethod);
      if (!f) throw new StatusError(Code.NotFound, "Not Found");
      reply.body = encode(await f(decode(m), { meta: parseQuery(m.meta), push }));
    } catch (err) {
      if (push) return void console.warn(`erpc: push to ${m.serviceMethod}:`, err);
      const st = err instanceof StatusError ? err : new StatusError(Code.InternalServerError, "Internal Server Error", String(err?.message ?? err));
      reply.bodyCodec = 0;
      reply.body = "";
      reply.status = statusText(st);
    }
    if (!push) this.#send(reply);
  }
}

function encode(v) { return v === undefined ? "" : JSON.stringify(v); }

function decode(m) { return m.body === "" || m.body === undefined || m.body === null ? undefined : JSON.parse(m.body); }

// Metadata and status travel as query text, in which A-Z a-z 0-9 . _ - * stand
// for themselves.
function escape(s) {
  let out = "";
  for (const b of new TextEncoder().encode(s)) {
    const c = String.fromCharCode(b);
    out += /[A-Za-z0-9._*-]/.test(c) ? c : "%" + b.toString(16).toUpperCase().padStart(2, "0");
  }
  return out;
}

function unescape(s) {
  try { return decodeURIComponent(s.replace(/\+/g, " ")); } catch { return s; }
}

function query(pairs) { return pairs.map(([k, v]) => escape(k) + (v === "" ? "" : "=" + escape(String(v)))).join("&"); }

function parseQuery(text) {
  const out = {};
  for (const pair of (text || "").split("&")) {
    if (pair === "") continue;
    const i = pair.indexOf("=");
    const k = unescape(i < 0 ? pair : pair.slice(0, i));
    if (!(k in out)) out[k] = i < 0 ? "" : unescape(pair.slice(i + 1));
  }
  return out;
}

function parseCaps(text) {
  const m = /^[1-9]\d{0,8}\.(\d{1,15})\.(\d{1,10})(\.|$)/.exec(text || "");
  return m && { bits: Number(m[1]) & 0xff, seq: Number(m[2]) };
}

// What streams need to know of the sub-protocol.
const codec = {
  id: JSON_CODEC,
  encode,
  decode: (body) => decode({ body }),
  parseMeta: parseQuery,
  parseStatus,
  statusText,
  status: (code, msg, cause) => new StatusError(code, msg, cause),
  canceled: () => new StatusError(Code.Canceled, "Canceled"),
  closed: () => new StatusError(Code.Canceled, "Canceled", "the stream has ended"),
  thrown: (err, method) => {
    if (err instanceof StatusError) return err;
    console.warn(`erpc: stream to ${method}:`, err);
    return new StatusError(Code.InternalServerError, "Internal Server Error");
  },
};

function statusText(st) { return query([["code", String(st.code)], ["msg", st.msg], ["cause", st.detail]].filter(([, v]) => v !== "")); }

function parseStatus(text) {
  const q = parseQuery(text);
  const code = Number(q.code || 0);
  return code === 0 ? null : new StatusError(code, q.msg, q.cause);
}
