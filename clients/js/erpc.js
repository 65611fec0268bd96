// A client of erpc for browsers: calls, pushes and handlers over one WebSocket,
// in the JSON sub-protocol. No dependencies. README.md shows its use, erpc.d.ts has
// the types.
//
//   import { connect } from "./erpc.js";
//   const peer = connect("wss://example.org/ws");
//   peer.on("/chat/message", (m) => console.log(m));
//   const sum = await peer.call("/math/add", [1, 2, 3]);

import { Stream, Streams } from "./streams.js";

const CALL = 1, REPLY = 2, PUSH = 3;
const JSON_CODEC = 106;
const CONTROL = "/erpc.control/"; // messages between the libraries, not for handlers
const MAX_UNSAID = 64; // cancellations that are kept until the other side's hello arrives
const CAPS = CONTROL + "caps"; // asks what the other side supports, with a sequence number, which proxies don't pass on
const CAPS_META = "X-Erpc-Caps";
const STREAMS = 1; // the bit of streams
const MIN_CAPS_SEQ = 2 ** 24, MAX_CAPS_SEQ = 2 ** 30;
const TIMEOUT = "X-Erpc-Timeout"; // milliseconds left; 0: no deadline, but the call can be cancelled
const HELLO = "X-Erpc-Hello"; // the sequence number of its own message, which proxies don't pass on

// A server that refuses a client, or ends its session permanently, closes the connection with
// 4000 plus the code of the status, and the text as the reason, because a page can't see the
// response to a handshake. With a code above 999 or below 1, the close code is 4000 and the reason begins
// with the code. The same holds for every code with RESTART, after which the client may come back.
const REFUSED = 4000;
const RESTART = 1012;
const MALFORMED = 4400; // close code for invalid messages of the other side
const PROTOCOL = "erpc"; // the offered sub-protocol, next to the following two
const CLOSES = 1000; // how long a close event may take after an error, in milliseconds
const REFUSAL = "erpc.refused"; // the sub-protocol that a server chooses to refuse the client
const TOKEN = "erpc.token."; // the sub-protocol that is a token, in base64url
const RENEW = 30_000; // milliseconds before its expiry at which a token is renewed

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

/** Connects, and connects again when the connection breaks. */
export function connect(url, options = {}) { return new Peer(url, options); }

/** One side of a connection, which can call, push and handle messages. */
export class Peer {
  #url; #options; #ws = null; #seq = 0; #pending = new Map(); #handlers = new Map();
  #listeners = new Set(); #waiting = []; #state = "connecting"; #attempt = 0; #timer = null;
  #ours = false; // the other side has proven that it is adjacent and understands control messages
  #hello = 0; // sequence number of the call that asked for that proof
  #opened = 0; // when the connection was opened; 0: not open
  #leaving = false; // the other side is leaving; the connection ends with the last call or stream
  #unsaid = []; // calls that were cancelled before the proof
  #streams = null; // the streams of the connection
  #streamsSupported = null; // a promise, once this connection has asked
  #streamHandlers = new Map();
  #token = null; // the last used { token, expires }
  #fresh = false; // the token was requested after a refusal
  #refusal = null; // the StatusError of state "refused"
  #close = null; // { code, reason } with which the last connection ended
  #dialing = 0; // counts attempts, so that an abandoned one has no effect later
  #draining = false; // drain was called: the connection ends with what is in flight, and is the last
  #bye = false; // the other side knows that, and makes no more calls
  #serving = 0; // calls of the other side whose handlers are at work

  constructor(url, options) {
    this.#url = url;
    this.#options = { reconnect: true, minBackoff: 100, maxBackoff: 10000, stableAfter: 5000, WebSocket: globalThis.WebSocket, ...options };
    if (!this.#options.WebSocket) throw new Error("erpc: this runtime has no WebSocket; pass one as options.WebSocket");
    this.#dial();
  }

  /** "connecting", "open", "refused" or "closed". */
  get state() { return this.#state; }

  /** Code and reason with which the last connection ended, and the status of the server, if any; null before the first one ended. */
  get lastClose() { return this.#close; }

  /** Calls f(state, lastClose) with every new state. Returns a function that unregisters f. */
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
    const body = encode(arg);
    await this.#open(signal, end);
    this.#failIfClosed();
    return new Promise((resolve, reject) => {
      const asks = (signal || end) && !this.#ours && !this.#hello;
      const seq = asks ? this.#random() : this.#next();
      const call = { resolve, reject, done: () => {} };
      const fail = (code, msg) => {
        if (!this.#pending.delete(seq)) return;
        call.done();
        if (this.#ours) this.#cancel(seq);
        else if (this.#unsaid.length < MAX_UNSAID) this.#unsaid.push(seq);
        reject(new StatusError(code, msg));
        this.#leave();
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
      this.#send({ seq, mtype: CALL, serviceMethod: method, meta: query(pairs), bodyCodec: JSON_CODEC, body });
    });
  }

  /**
   * Opens a stream to method and returns it at once. The argument, if any,
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

  /** Makes f the handler of streams to method: f(stream, { meta }). The stream ends when f returns. */
  onStream(method, f) {
    this.#streamHandlers.set(method, f);
    return this;
  }

  async #openStream(stream, method, { signal, end, meta }) {
    await this.#open(signal, end);
    this.#failIfClosed();
    if (!(await this.#supportsStreams())) throw new StatusError(Code.MtypeNotAllowed, "Message Type Not Allowed", "the other side does not support streams");
    if (stream._over) return;
    if (!this.#streams) throw new StatusError(Code.ConnClosed, "Connection Closed");
    const pairs = Object.entries(meta || {});
    if (end) pairs.push([TIMEOUT, String(Math.max(1, end - Date.now()))]);
    this.#streams.open(stream, method, query(pairs), signal);
  }

  // Returns a random sequence number for a proof.
  #random() {
    for (;;) {
      const seq = MIN_CAPS_SEQ + Math.floor(Math.random() * (MAX_CAPS_SEQ - MIN_CAPS_SEQ));
      if (!this.#pending.has(seq)) return seq;
    }
  }

  // Asks the other side, once per connection, whether it supports streams.
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

  // Answers such a request.
  #caps(m) {
    const caps = parseCaps(parseQuery(m.meta)[CAPS_META]);
    if (caps?.seq !== m.seq || m.seq < MIN_CAPS_SEQ) return false;
    this.#streamsSupported = Promise.resolve((caps.bits & STREAMS) !== 0);
    this.#send({ seq: m.seq, mtype: REPLY, serviceMethod: "", meta: query([[CAPS_META, `1.${STREAMS}.${m.seq}`]]), bodyCodec: 0, body: "" });
    this.#proven();
    return true;
  }

  /** Sends a message without a reply. Resolves when it was passed to the connection. */
  async push(method, arg, { signal, meta } = {}) {
    const body = encode(arg);
    await this.#open(signal, 0);
    this.#failIfClosed();
    this.#send({ seq: this.#next(), mtype: PUSH, serviceMethod: method, meta: query(Object.entries(meta || {})), bodyCodec: JSON_CODEC, body });
  }

  /** Connects now: after a refusal, for example when the user has logged in, or during the pause between attempts. */
  reconnect() {
    if (this.#state === "open" || this.#state === "closed") return;
    this.#attempt = 0;
    this.#refusal = null;
    this.#token = null;
    this.#fresh = false;
    const ws = this.#ws;
    this.#ws = null; // later events of the old connection are ignored
    ws?.close(1000);
    clearTimeout(this.#timer);
    this.#setState("connecting");
    this.#dial();
  }

  /** Ends the connection permanently, with a code (1000, or 3000 to 4999) and a reason. Calls in flight fail. */
  close(code = 1000, reason = "") {
    if (this.#state === "closed") return;
    this.#ws?.close(code, reason); // throws if the code is not allowed
    this.#dialing++;
    clearTimeout(this.#timer);
    this.#close = { code, reason };
    this.#setState("closed");
    this.#drop(new StatusError(Code.ConnClosed, "Connection Closed", reason));
  }

  /**
   * Ends the connection permanently once the calls, handlers and streams in flight have ended, or
   * after timeout milliseconds; then those that are left fail. Nothing new can be sent meanwhile.
   * Resolves when the connection has ended.
   */
  async drain({ timeout = 10000 } = {}) {
    if (this.#state !== "open") return this.close();
    const ended = new Promise((resolve) => this.onState(resolve)); // there is no other connection
    const timer = setTimeout(() => this.close(), timeout);
    if (!this.#draining && this.#ours) this.#goAway();
    this.#draining = true;
    setTimeout(() => this.#leave()); // after the calls and pushes that were made just before
    await ended;
    clearTimeout(timer);
  }

  #next() { return (this.#seq = this.#seq >= 0x7fffffff ? 1 : this.#seq + 1); }

  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    for (const f of [...this.#listeners]) f(state, this.#close);
  }

  async #dial() {
    const attempt = ++this.#dialing;
    const protocols = [PROTOCOL, REFUSAL];
    if (this.#options.getToken) {
      try {
        protocols.push(TOKEN + base64url(await this.#currentToken()));
      } catch (err) {
        if (attempt !== this.#dialing) return;
        console.warn("erpc: getToken:", err);
        return this.#again();
      }
      if (attempt !== this.#dialing) return; // closed meanwhile, or another attempt has begun
    }
    let ws;
    try {
      ws = this.#ws = this.#options.protocols === false ? new this.#options.WebSocket(this.#url) : new this.#options.WebSocket(this.#url, protocols);
    } catch (err) { // the URL is invalid, or not allowed from this page
      return this.#refuse(new StatusError(Code.BadMessage, "Bad Message", String(err?.message ?? err)));
    }
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      if (this.#ws !== ws || this.#state === "closed") return ws.close();
      if (ws.protocol === REFUSAL) return; // onclose handles the reason
      this.#opened = Date.now();
      this.#leaving = false;
      this.#ours = false;
      this.#hello = 0;
      this.#unsaid = [];
      this.#streamsSupported = null;
      this.#streams = new Streams(codec, (m) => { if (this.#ws === ws) this.#send(m); }, (method) => this.#streamHandlers.get(method), () => { if (this.#ws === ws) this.#leave(); });
      this.#setState("open");
      for (const w of this.#waiting.splice(0)) w.open();
    };
    ws.onmessage = (event) => { if (this.#ws === ws) this.#receive(event.data); };
    ws.onclose = (event) => this.#broken(ws, event);
    ws.onerror = () => setTimeout(() => this.#broken(ws), CLOSES); // normally onclose follows at once, but not in Node.js 20 after a refused handshake
  }

  // Returns the token to connect with. It calls getToken again when the token is about to
  // expire, and after a refusal.
  async #currentToken() {
    const known = this.#token;
    if (known && (!known.expires || Date.now() < known.expires - RENEW)) return known.token;
    const got = await this.#options.getToken({ refused: this.#fresh });
    this.#token = typeof got === "object" && got !== null ? { token: String(got.token), expires: Number(got.expires ?? 0) } : { token: String(got), expires: 0 };
    return this.#token.token;
  }

  #broken(ws, event) {
    if (this.#ws !== ws || this.#state === "closed") return;
    this.#ws = null;
    const lived = this.#opened ? Date.now() - this.#opened : 0;
    this.#opened = 0;
    const code = event?.code ?? 1006, reason = event?.reason ?? "";
    const told = closeStatus(code, reason);
    const status = told ?? (this.#leaving ? new StatusError(Code.ShuttingDown, "Shutting Down") : undefined);
    this.#close = status ? { code, reason, status } : { code, reason };
    this.#failPending(new StatusError(Code.ConnClosed, "Connection Closed", reason));
    if (lived >= this.#options.stableAfter) {
      this.#attempt = 0;
      this.#fresh = false;
    }
    const unauthorized = told?.code === Code.Unauthorized && this.#options.getToken;
    if (told && code !== RESTART && !(unauthorized && !this.#fresh)) return this.#refuse(told);
    if (unauthorized) {
      this.#token = null;
      this.#fresh = true; // if the server refuses the new one, too, that is final
    }
    if (!this.#options.reconnect || this.#draining) {
      this.#setState("closed");
      this.#drop(new StatusError(Code.ConnClosed, "Connection Closed", reason));
      return;
    }
    this.#again();
  }

  // Connects again after a pause, which doubles until a connection lasts.
  #again() {
    this.#setState("connecting");
    const { minBackoff, maxBackoff } = this.#options;
    const most = Math.min(maxBackoff, minBackoff * 2 ** Math.min(this.#attempt++, 30));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), most / 2 + Math.random() * (most / 2));
  }

  #refuse(status) {
    this.#ws = null;
    this.#refusal = status;
    this.#setState("refused");
    this.#drop(status);
  }

  #failPending(err) {
    this.#streams?.close(err);
    this.#streams = null;
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const c of calls) {
      c.done();
      c.reject(err);
    }
  }

  #drop(err) {
    this.#failPending(err);
    for (const w of this.#waiting.splice(0)) w.fail(err);
  }

  // Waits until the connection is open and can be used.
  async #open(signal, end) {
    for (;;) {
      if (signal?.aborted) throw new StatusError(Code.Canceled, "Canceled");
      if (this.#draining && this.#state === "open") throw new StatusError(Code.ShuttingDown, "Shutting Down");
      if (this.#state === "open" && this.#ws && !this.#leaving) return;
      this.#failIfClosed();
      if (this.#state === "refused") throw this.#refusal;
      await this.#wait(signal, end);
    }
  }

  // Throws if the client was closed, perhaps since #open has resolved.
  #failIfClosed() {
    if (this.#state === "closed") throw new StatusError(Code.ConnClosed, "Connection Closed", this.#close?.reason);
  }

  #wait(signal, end) {
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
    // Keep the order of the Go side, with the status last.
    const out = { seq: m.seq, mtype: m.mtype, serviceMethod: m.serviceMethod, meta: m.meta || "", bodyCodec: m.bodyCodec, body: m.body, xferPipe: [] };
    if (m.status) out.status = m.status;
    this.#ws?.send(JSON.stringify(out));
  }

  #receive(data) {
    try {
      this.#route(parse(data));
    } catch { // later messages can't be trusted
      this.#ws?.close(MALFORMED, "malformed message");
    }
  }

  #route(m) {
    if (!m) throw new TypeError("not a message of erpc");
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

  // Tells the other side that a call was cancelled.
  #cancel(seq) { this.#send({ seq, mtype: PUSH, serviceMethod: CONTROL + "cancel", bodyCodec: 0, body: "" }); }

  // Asks the other side to make no more calls, and to end its streams.
  #goAway() { this.#send({ seq: 0, mtype: PUSH, serviceMethod: CONTROL + "goaway", bodyCodec: 0, body: "" }); }

  #proven() {
    if (!this.#ours && this.#draining) this.#goAway();
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
    switch (what) {
      case "goaway":
        this.#leaving = true;
        this.#streams?.drain();
        return this.#leave();
      case "bye":
        this.#bye = true;
        return this.#leave();
      case "drain": return this.#streams?.drainOne(m.seq);
    }
  }

  // Ends a connection whose other side is leaving, or that drains, once it has no calls and streams.
  #leave() {
    if (this.#pending.size > 0 || this.#streams?.size) return;
    if (this.#draining && this.#serving === 0 && (this.#bye || !this.#ours)) this.close();
    else if (this.#leaving) this.#ws?.close(1000);
  }

  #reply(m) {
    const call = this.#pending.get(m.seq);
    if (!call) return; // cancelled
    this.#pending.delete(m.seq);
    call.done();
    try {
      const status = call.reply ? null : parseStatus(m.status);
      if (call.reply) call.reply(m);
      else if (status) call.reject(status);
      else call.resolve(decode(m));
    } catch (err) {
      call.reject(new StatusError(Code.BadMessage, "Bad Message", String(err?.message ?? err)));
    }
    this.#leave();
  }

  async #handle(m, push) {
    const reply = { seq: m.seq, mtype: REPLY, serviceMethod: "", bodyCodec: JSON_CODEC, body: "" };
    const ws = this.#ws;
    if (!push) this.#serving++;
    try {
      const f = this.#handlers.get(m.serviceMethod);
      if (!f) throw new StatusError(Code.NotFound, "Not Found");
      reply.body = encode(await f(decode(m), { meta: parseQuery(m.meta), push }));
    } catch (err) {
      if (push) return void console.warn(`erpc: push to ${m.serviceMethod}:`, err);
      let st = err;
      if (!(err instanceof StatusError)) { // don't send its text
        console.error(`erpc: call of ${m.serviceMethod}:`, err);
        st = new StatusError(Code.InternalServerError, "Internal Server Error");
      }
      reply.bodyCodec = 0;
      reply.body = "";
      reply.status = statusText(st);
    }
    if (push) return;
    this.#serving--;
    if (this.#ws === ws) this.#send(reply); // otherwise the caller's connection is gone
    this.#leave();
  }
}

// Returns the message in data, or null if there is none.
function parse(data) {
  try {
    const m = JSON.parse(typeof data === "string" ? data : new TextDecoder("utf-8", { fatal: true }).decode(data));
    if (typeof m !== "object" || m === null || Array.isArray(m)) return null;
    if (typeof m.serviceMethod !== "string") {
      if (m.mtype !== REPLY) return null;
      m.serviceMethod = ""; // the method is optional here
    }
    return m;
  } catch {
    return null;
  }
}

// Returns the status with which a server closed the connection, or undefined if there is none.
function closeStatus(code, reason) {
  if (code > REFUSED && code < REFUSED + 1000 && code !== MALFORMED) return new StatusError(code - REFUSED, reason);
  if (code !== REFUSED && code !== RESTART) return undefined;
  const [, number, text] = /^(-?\d{1,10}) (.*)$/s.exec(reason) ?? [];
  if (Number(number)) return new StatusError(Number(number), text);
  return code === REFUSED ? new StatusError(Code.ConnClosed, reason) : undefined;
}

function encode(v) { return v === undefined ? "" : JSON.stringify(v) ?? ""; }

function decode(m) {
  if (m.body === "" || m.body === undefined || m.body === null) return undefined;
  if (typeof m.body !== "string") throw new TypeError("the body of a message is not text");
  return JSON.parse(m.body);
}

// Metadata and status are sent as query text, in which A-Z a-z 0-9 . _ - * are
// not escaped.
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

function query(pairs) {
  return pairs.map(([k, v]) => escape(k) + (v === "" ? "" : "=" + escape(String(v)))).join("&");
}

// The object has no prototype, so that names such as "constructor" are ordinary
// keys.
function parseQuery(text) {
  const out = Object.create(null);
  if (text === undefined || text === null) return out;
  if (typeof text !== "string") throw new TypeError("metadata or status of a message is not text");
  for (const pair of text.split("&")) {
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

// What streams need from the sub-protocol.
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
  if (!Number.isInteger(code)) throw new TypeError("the code of a status is not a number");
  return code === 0 ? null : new StatusError(code, q.msg, q.cause);
}

function base64url(text) {
  let bytes = "";
  for (const b of new TextEncoder().encode(text)) bytes += String.fromCharCode(b);
  return btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
