// Run against a peer at ERPC_URL, by js_test.go with node --test and by
// browser_test.go in Chromium.
import test from "node:test";
import assert from "node:assert/strict";
import { connect, StatusError, Code } from "./erpc.js";

const url = process.env.ERPC_URL;
const expiringURL = url.replace(/ws$/, "expiring"); // wants a token other than "bad"; /expire ends the login
const authURL = url.replace(/ws$/, "auth"); // wants the token "good"
const downURL = url.replace(/ws$/, "down"), restartURL = url.replace(/^ws(.*)ws$/, "http$1restart"); // shuts the peer at downURL down
const open = (options) => connect(url, { minBackoff: 10, maxBackoff: 50, ...options });

test("a call gets its reply", async () => {
  const peer = open();
  assert.equal(await peer.call("/math/add", [1, 2, 3]), 6);
  peer.close();
});

test("a hundred calls at a time get their own replies", async () => {
  const peer = open();
  const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => peer.call("/math/add", [i, 1])));
  assert.deepEqual(sums, Array.from({ length: 100 }, (_, i) => i + 1));
  peer.close();
});

test("a failed status is the rejection", async () => {
  const peer = open();
  await assert.rejects(peer.call("/fail", 1), (err) => err instanceof StatusError && err.code === 1001 && err.msg === "bad thing" && err.detail === 'a "cause" & 100 %');
  await assert.rejects(peer.call("/no/such", 1), (err) => err.code === Code.NotFound);
  peer.close();
});

test("metadata goes there", async () => {
  const peer = open();
  assert.equal(await peer.call("/meta", 1, { meta: { author: "grüße & co" } }), "grüße & co");
  peer.close();
});

test("text of any kind survives", async () => {
  const peer = open();
  const text = 'a "quote" \\ back\nline\u0000 ünïcödé 😀';
  assert.equal(await peer.call("/echo", text), text);
  peer.close();
});

test("the other side pushes and calls", async () => {
  const peer = open();
  const pushed = new Promise((resolve) => peer.on("/note", (text, ctx) => { if (ctx.push) resolve([text, ctx.meta.from]); }));
  peer.on("/client/double", (n) => 2 * n);
  peer.on("/client/fail", () => { throw new StatusError(7, "seven", "because"); });
  assert.equal(await peer.call("/callback", 21), 42);
  await assert.rejects(peer.call("/callback/fail", 1), (err) => err.code === 7 && err.msg === "seven" && err.detail === "because");
  assert.deepEqual(await pushed, ["hello", "srv"]);
  peer.close();
});

test("a push arrives", async () => {
  const peer = open();
  await peer.push("/note/say", "from js");
  assert.equal(await peer.call("/note/last", 1), "from js");
  peer.close();
});

test("a timeout and an abort end a call, and the handler's context", async () => {
  const peer = open();
  const opened = new Promise((resolve) => peer.onState(resolve));
  const early = new AbortController();
  const first = peer.call("/hang", 1, { signal: early.signal });
  await opened;
  setTimeout(() => early.abort()); // sooner than the other side's hello can be here
  await assert.rejects(first, (err) => err.code === Code.Canceled);
  await assert.rejects(peer.call("/hang", 1, { timeout: 300 }), (err) => err.code === Code.HandleTimeout);
  const late = new AbortController();
  const last = peer.call("/hang", 1, { signal: late.signal });
  setTimeout(() => late.abort(), 50);
  await assert.rejects(last, (err) => err.code === Code.Canceled);
  // Waits until the handlers have ended; the first call may have been over before its handler began.
  assert.equal(await peer.call("/hung", 2, { timeout: 20000 }) >= 2, true);
  peer.close();
});

test("it connects again, and calls wait for that", async () => {
  const peer = open();
  const states = [];
  peer.onState((s) => states.push(s));
  assert.equal(await peer.call("/math/add", [1]), 1);
  await assert.rejects(peer.call("/cut", 1), (err) => err.code === Code.ConnClosed);
  assert.equal(await peer.call("/math/add", [2], { timeout: 20000 }), 2);
  assert.deepEqual(states, ["open", "connecting", "open"]);
  peer.close();
  assert.equal(peer.state, "closed");
  await assert.rejects(peer.call("/math/add", [1]), (err) => err.code === Code.ConnClosed);
});

test("nobody there: a call ends with its timeout, close ends the rest", async () => {
  const peer = connect("ws://127.0.0.1:1/", { minBackoff: 10, maxBackoff: 20 });
  await assert.rejects(peer.call("/x", 1, { timeout: 100 }), (err) => err.code === Code.HandleTimeout);
  const call = peer.call("/x", 1);
  peer.close();
  await assert.rejects(call, (err) => err.code === Code.ConnClosed);
});

test("a stream of the other side is a loop", async () => {
  const peer = open();
  let n = 0;
  for await (const m of peer.stream("/stream/count", 3000)) assert.equal(m, n++);
  assert.equal(n, 3000);
  for await (const m of peer.stream("/stream/count", 1000000)) if (m === 10) break; // which closes it
  assert.equal(await peer.call("/math/add", [1, 2]), 3);
  peer.close();
});

test("a stream is sent, and answered", async () => {
  const peer = open();
  const s = peer.stream("/stream/length");
  for (let i = 0; i < 500; i++) await s.send("ä".repeat(400));
  await s.closeSend();
  assert.deepEqual(await s.next(), { value: 500 * 800, done: false });
  assert.deepEqual(await s.next(), { value: undefined, done: true });
  assert.equal(await s.ended, null);
  peer.close();
});

test("both sides of a stream send", async () => {
  const peer = open();
  const s = peer.stream("/stream/echo", "0");
  for (let i = 0; i < 300; i++) {
    assert.equal((await s.next()).value, String(i));
    await s.send(String(i + 1));
  }
  await s.closeSend();
  assert.equal((await s.next()).value, "300");
  assert.equal((await s.next()).done, true);
  peer.close();
});

test("a stream fails with the status of its handler, or because there is none", async () => {
  const peer = open();
  await assert.rejects(peer.stream("/stream/fail", 1).next(), (err) => err instanceof StatusError && err.code === 1001 && err.msg === "bad thing");
  await assert.rejects(peer.stream("/stream/none", 1).next(), (err) => err.code === Code.NotFound);
  const late = peer.stream("/stream/hang", "x", { timeout: 100 });
  await assert.rejects(late.next(), (err) => err.code === Code.HandleTimeout);
  assert.equal((await late.ended).code, Code.HandleTimeout);
  assert.equal(await peer.call("/stream/hung", 1, { timeout: 20000 }), 1);
  const stop = new AbortController();
  const aborted = peer.stream("/stream/hang", "x", { signal: stop.signal });
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(aborted.next(), (err) => err.code === Code.Canceled);
  assert.equal(await peer.call("/stream/hung", 2, { timeout: 20000 }), 2);
  peer.close();
});

test("send waits while the other side's program takes nothing, and calls go on", async () => {
  const peer = open();
  const s = peer.stream("/stream/hang");
  const chunk = "x".repeat(16000);
  let sent = 0;
  const all = (async () => { for (; sent < 100; sent++) await s.send(chunk); await s.closeSend(); })();
  for (let i = 0; i < 50; i++) assert.equal(await peer.call("/math/add", [i]), i);
  assert.equal(sent < 20, true, `${sent} messages were sent to a program that takes nothing`);
  await peer.call("/stream/release", 1);
  await all;
  assert.equal((await s.next()).value, 100);
  peer.close();
});

test("the other side opens a stream", async () => {
  const peer = open();
  peer.onStream("/client/sum", async (s) => {
    let sum = 0;
    for await (const m of s) sum += m;
    await s.send(sum);
  });
  assert.equal(await peer.call("/stream/back", 2000, { timeout: 20000 }), 1999000);
  peer.close();
});
const aborted = (signal) => new Promise((resolve) => { if (signal.aborted) resolve(); else signal.addEventListener("abort", resolve); });

test("a stream drains when the other side asks for its end", async () => {
  const peer = open();
  const s = peer.stream("/stream/drain"), other = peer.stream("/stream/echo", "0");
  assert.equal((await other.next()).value, "0");
  await aborted(s.draining);
  assert.equal(s.signal.aborted || other.draining.aborted, false);
  await s.closeSend();
  assert.equal(await s.ended, null);
  peer.close();
});

test("streams drain when the other side shuts down, and the next are opened on the next connection", async () => {
  const peer = connect(downURL, { minBackoff: 10, maxBackoff: 50 });
  const s = peer.stream("/stream/echo", "0"), over = peer.stream("/stream/echo");
  assert.equal((await s.next()).value, "0");
  over.close();
  const restart = fetch(restartURL);
  await aborted(s.draining);
  await s.send("1");
  assert.equal((await s.next()).value, "1"); // it goes on
  const next = peer.stream("/stream/echo", "2");
  await s.closeSend();
  assert.equal(await s.ended, null);
  assert.equal((await restart).status, 200);
  assert.equal((await next.next()).value, "2");
  assert.equal(next.draining.aborted || over.draining.aborted, false);
  peer.close();
});

test("a stream of the other side drains, though this side has asked for nothing", async () => {
  const peer = open();
  const drained = new Promise((resolve) => peer.onStream("/client/drain", async (s) => { await aborted(s.draining); resolve(); }));
  await peer.push("/stream/feed", 1);
  await drained;
  peer.close();
});

// Waits until f returns something true.
async function until(f) {
  for (let i = 0; i < 1000; i++) {
    const v = f();
    if (v) return v;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited in vain for ${f}`);
}

// A WebSocket whose other side is the test: reply answers what was sent.
function fake({ reply, opens = () => true } = {}) {
  return class Fake {
    static made = [];
    protocol = "";
    sent = [];
    constructor(to, protocols) {
      this.protocols = protocols;
      Fake.made.push(this);
      setTimeout(() => opens(Fake.made.length) ? this.onopen?.() : this.onclose?.({ code: 1006, reason: "" }));
    }
    send(text) {
      const m = JSON.parse(text);
      this.sent.push(m);
      const answer = reply?.(m);
      if (answer !== undefined) setTimeout(() => this.onmessage?.({ data: typeof answer === "string" ? answer : JSON.stringify(answer) }));
    }
    close(code, reason) {
      this.closed = code;
      setTimeout(() => this.onclose?.({ code: code ?? 1005, reason: reason ?? "" }));
    }
  };
}

test("a drained connection ends with what is in flight", async () => {
  const peer = open();
  const feed = peer.stream("/stream/drained");
  assert.deepEqual(await feed.next(), { value: 0, done: false });
  let answer;
  const asked = new Promise((resolve) => peer.on("/client/double", (n) => new Promise((reply) => {
    answer = () => reply(2 * n);
    resolve();
  })));
  const call = peer.call("/callback", 21);
  await asked;
  const drained = peer.drain({ timeout: 60000 });
  await assert.rejects(peer.call("/math/add", [1]), (err) => err.code === Code.ShuttingDown);
  assert.equal(await feed.ended, null);
  assert.equal(peer.state, "open");
  answer();
  assert.equal(await call, 42);
  await drained;
  assert.equal(peer.state, "closed");
  assert.equal(peer.lastClose.code, 1000);
  await peer.drain(); // has no effect
});

test("a drained connection that was not used for streams, or has no time, ends too", async () => {
  const quiet = open();
  assert.equal(await quiet.call("/math/add", [1]), 1);
  await quiet.drain({ timeout: 60000 });
  const busy = open();
  assert.equal(await busy.call("/math/add", [1]), 1);
  const call = busy.call("/hang", 1, { timeout: 60000 });
  await Promise.all([busy.drain({ timeout: 50 }), assert.rejects(call, (err) => err.code === Code.ConnClosed)]);
  const early = open();
  const waiting = early.call("/math/add", [1]);
  await Promise.all([early.drain(), assert.rejects(waiting, (err) => err.code === Code.ConnClosed)]);
  assert.equal(early.state, "closed");
});

test("what is sent just before close fails, and before drain is sent", async () => {
  const closed = open();
  await closed.call("/math/add", [1]);
  const lost = [closed.call("/math/add", [1]), closed.push("/note/say", "lost"), closed.stream("/stream/count", 1).next()];
  closed.close();
  for (const p of lost) await assert.rejects(p, (err) => err.code === Code.ConnClosed);
  const drained = open();
  await drained.call("/math/add", [1]);
  const sent = [drained.call("/math/add", [1, 1]), drained.push("/note/say", "before drain"), drained.stream("/stream/count", 1).next()];
  await drained.drain({ timeout: 60000 });
  assert.deepEqual(await Promise.all(sent), [2, undefined, { value: 0, done: false }]);
  const other = open();
  let last;
  for (const end = Date.now() + 20000; last !== "before drain" && Date.now() < end;) last = await other.call("/note/last", 1); // its handler may be late
  assert.equal(last, "before drain");
  other.close();
});

test("a reply that makes no sense ends its call, not the client", async () => {
  for (const wrong of [{ status: 5 }, { status: { code: 1 } }, { status: ["x"] }, { status: "code=x" }, { body: 7 }, { body: "{" }, { body: ["x"] }]) {
    const peer = connect("ws://x/", { WebSocket: fake({ reply: (m) => ({ seq: m.seq, mtype: 2, serviceMethod: "", meta: "", bodyCodec: 106, body: "", xferPipe: [], ...wrong }) }) });
    await assert.rejects(peer.call("/x", 1, { timeout: 5000 }), (err) => err instanceof StatusError && err.code === Code.BadMessage);
    assert.equal(peer.state, "open");
    peer.close();
  }
});

test("what is not a message ends the connection", async () => {
  for (const wrong of ["null", "[]", "7", "{", "{}", '{"mtype":3,"serviceMethod":5}', '{"mtype":1}']) {
    const Fake = fake({ reply: () => wrong });
    const peer = connect("ws://x/", { WebSocket: Fake, minBackoff: 1 });
    await assert.rejects(peer.call("/x", 1, { timeout: 5000 }), (err) => err.code === Code.ConnClosed);
    assert.equal(Fake.made[0].closed, 4400);
    await until(() => peer.state === "open" && Fake.made.length === 2); // not a refusal
    peer.close();
  }
});

test("keys that every object has are keys like others", async () => {
  const Fake = fake();
  const peer = connect("ws://x/", { WebSocket: Fake });
  let meta;
  peer.on("/m", (_, ctx) => { meta = ctx.meta; });
  await until(() => peer.state === "open");
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty"];
  Fake.made[0].onmessage({ data: JSON.stringify({ seq: 1, mtype: 3, serviceMethod: "/m", meta: names.map((n) => n + "=" + n.length).join("&"), bodyCodec: 106, body: "1" }) });
  await until(() => meta);
  assert.deepEqual(names.map((n) => meta[n]), names.map((n) => String(n.length)));
  peer.close();
  const real = open();
  assert.equal(await real.call("/meta", 1, { meta: { author: "x", constructor: "y" } }), "x");
  real.close();
});

test("what a handler throws stays here", async () => {
  const peer = open();
  const said = [];
  const error = console.error;
  console.error = (...args) => said.push(args);
  try {
    peer.on("/client/double", () => { throw new Error("the password is 1234"); });
    await assert.rejects(peer.call("/callback", 21), (err) => err.code === Code.InternalServerError && !err.message.includes("1234"));
  } finally {
    console.error = error;
  }
  assert.equal(said.length, 1);
  peer.close();
});

test("the pause grows until a connection has lasted", async () => {
  const Fake = fake();
  const peer = connect("ws://x/", { WebSocket: Fake, minBackoff: 8, maxBackoff: 100000, stableAfter: 200 });
  for (let i = 1; i <= 6; i++) { // accepted, and closed at once
    await until(() => Fake.made.length === i && peer.state === "open");
    Fake.made[i - 1].onclose({ code: 1006, reason: "" });
  }
  const last = Date.now(); // the pause is 128 to 256 ms
  await until(() => Fake.made.length === 7 && peer.state === "open");
  const paused = Date.now() - last;
  if (paused < 120) throw new Error(`connected again after ${paused} ms`);
  await new Promise((resolve) => setTimeout(resolve, 250));
  Fake.made[6].onclose({ code: 1006, reason: "" });
  const stable = Date.now();
  await until(() => Fake.made.length === 8);
  if (Date.now() - stable > 100) throw new Error("a connection that has lasted does not count");
  peer.close();
});

test("a call that is made as the connection breaks does not hang", async () => {
  const Fake = fake();
  const peer = connect("ws://x/", { WebSocket: Fake, reconnect: false });
  const first = peer.call("/x", 1), second = peer.call("/x", 1);
  first.catch(() => {});
  peer.onState((s) => { if (s === "open") queueMicrotask(() => peer.close(3001, "bye")); });
  for (const call of [first, second]) await assert.rejects(call, (err) => err.code === Code.ConnClosed);
  assert.deepEqual([peer.state, peer.lastClose.code, peer.lastClose.reason], ["closed", 3001, "bye"]);
});

test("a server that goes away keeps its calls, and gets no new ones", async () => {
  const Fake = fake({ reply: (m) => m.serviceMethod === "/slow" ? undefined : { seq: m.seq, mtype: 2, body: "2" } });
  const peer = connect("ws://x/", { WebSocket: Fake, minBackoff: 1 });
  const slow = peer.call("/slow", 1, { timeout: 5000 }); // with a deadline it asks for a proof
  await until(() => Fake.made[0].sent.length === 1);
  const { seq } = Fake.made[0].sent[0];
  Fake.made[0].onmessage({ data: JSON.stringify({ seq, mtype: 3, serviceMethod: "/erpc.control/hello", meta: "X-Erpc-Hello=" + seq, bodyCodec: 0, body: "" }) });
  Fake.made[0].onmessage({ data: JSON.stringify({ seq: 0, mtype: 3, serviceMethod: "/erpc.control/goaway", bodyCodec: 0, body: "" }) });
  const next = peer.call("/next", 1, { timeout: 5000 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(Fake.made[0].sent.length, 1);
  Fake.made[0].onmessage({ data: JSON.stringify({ seq: Fake.made[0].sent[0].seq, mtype: 2, body: "1" }) });
  assert.equal(await slow, 1);
  assert.equal(await next, 2);
  assert.equal(Fake.made.length, 2);
  peer.close();
});

test("a server that shuts down says so, and the client comes back", async () => {
  for (const known of [false, true]) { // whether the server knows that this client understands its messages
    const peer = connect(downURL, { minBackoff: 10 });
    assert.equal(await peer.call("/math/add", [1], known ? { timeout: 5000 } : {}), 1);
    const states = [];
    peer.onState((s, last) => states.push([s, last.status?.code, last.status?.msg]));
    assert.equal((await fetch(restartURL)).status, 200);
    await until(() => states.length > 0); // a call before that goes over the connection that ends
    assert.equal(await peer.call("/math/add", [2], { timeout: 5000 }), 2);
    assert.deepEqual(states[0], ["connecting", Code.ShuttingDown, known ? "Shutting Down" : "the peer is shut down"]);
    peer.close();
  }
});

test("a token is asked for, kept, and asked for again when it is refused", async () => {
  const asked = [];
  const tokens = ["bad", "good"];
  const peer = connect(authURL, { minBackoff: 10, getToken: async (why) => { asked.push(why.refused); return tokens.shift(); } });
  assert.equal(await peer.call("/math/add", [1, 2]), 3);
  assert.deepEqual(asked, [false, true]);
  await assert.rejects(peer.call("/cut", 1), (err) => err.code === Code.ConnClosed);
  assert.equal(await peer.call("/math/add", [3]), 3); // with the token that is known
  assert.deepEqual(asked, [false, true]);
  peer.close();
});

test("the server says why it ends the session, and whether to come back", async () => {
  for (const { code, msg, reconnect, close } of [
    { code: 401, msg: "logged out", reconnect: false, close: 4401 },
    { code: 1009, msg: "kicked ü", reconnect: false, close: 4000 },
    { code: 503, msg: "upgrade", reconnect: true, close: 1012 },
  ]) {
    const peer = connect(url, { minBackoff: 10 });
    assert.equal(await peer.call("/math/add", [1]), 1);
    const states = [];
    peer.onState((s, last) => states.push([s, last.code, last.status?.code, last.status?.msg]));
    await peer.call("/end", { code, msg, reconnect }).catch(() => {});
    await until(() => states.length > 0);
    assert.deepEqual(states[0], [reconnect ? "connecting" : "refused", close, code, msg]);
    if (reconnect) assert.equal(await peer.call("/math/add", [2]), 2);
    else await assert.rejects(peer.call("/math/add", [2]), (err) => err.code === code && err.msg === msg);
    peer.close();
  }
});

test("the reason of a close frame is text, whatever it says", async () => {
  for (const [code, reason, want] of [
    [4000, "1001 a b\nc", [1001, "a b\nc"]], [4000, "", [102, ""]], [4000, "0 x", [102, "0 x"]], [4000, "-1 x", [-1, "x"]],
    [4000, "99999999999 x", [102, "99999999999 x"]], [1012, "", undefined], [1012, "restart", undefined], [1000, "503 x", undefined], [3001, "x", undefined],
  ]) {
    const Fake = fake();
    const peer = connect("ws://x/", { WebSocket: Fake, minBackoff: 100000 });
    await until(() => peer.state === "open");
    Fake.made[0].onclose({ code, reason });
    const s = peer.lastClose.status;
    assert.deepEqual(s && [s.code, s.msg], want, `${code} ${reason}`);
    assert.equal(peer.state, code === 4000 ? "refused" : "connecting");
    peer.close();
  }
});

test("refused is not connecting", async () => {
  const states = [];
  const peer = connect(authURL, { minBackoff: 10, getToken: () => "bad" });
  peer.onState((s, last) => states.push([s, last?.code, last?.reason]));
  await assert.rejects(peer.call("/math/add", [1]), (err) => err.code === Code.Unauthorized && err.msg === "who are you?");
  await assert.rejects(peer.call("/math/add", [1]), (err) => err.code === Code.Unauthorized);
  assert.deepEqual(states, [["refused", 4401, "who are you?"]]);
  peer.reconnect(); // the user has another try
  assert.equal(peer.state, "connecting");
  await until(() => peer.state === "refused");
  peer.close();
  assert.equal(peer.state, "closed");
  const without = connect(authURL, { minBackoff: 10 });
  await until(() => without.state === "refused"); // and nobody to ask for a token
  without.close();
});

test("a token is asked for again when the login has expired", async () => {
  const asked = [], closes = [];
  const peer = connect(expiringURL, { minBackoff: 10, getToken: ({ refused }) => `token ${asked.push(refused)}` });
  peer.onState((s, last) => { if (s === "connecting") closes.push([last.code, last.status?.code]); });
  for (let i = 0; i < 3; i++) {
    assert.equal(await peer.call("/math/add", [1, 2]), 3);
    await peer.call("/expire", 0).catch(() => {}); // the reply may be late
    await until(() => closes.length > i);
  }
  assert.equal(await peer.call("/math/add", [1, 2]), 3);
  assert.deepEqual(closes, Array(3).fill([1012, Code.Unauthorized]));
  assert.deepEqual(asked, [false, true, true, true]);
  peer.close();
});

test("a token that is refused after a login has expired is the last", async () => {
  const asked = [];
  const peer = connect(expiringURL, { minBackoff: 10, getToken: ({ refused }) => asked.push(refused) === 1 ? "good" : "bad" });
  await peer.call("/expire", 0).catch(() => {}); // the reply may be late
  await until(() => peer.state === "refused");
  assert.equal(peer.lastClose.status.code, Code.Unauthorized);
  assert.deepEqual(asked, [false, true]);
  peer.close();
});

test("a token that is about to expire is not used", async () => {
  let n = 0;
  const peer = connect(authURL, { minBackoff: 10, getToken: () => ({ token: "good", expires: Date.now() + (++n === 1 ? 1000 : 3600_000) }) });
  await peer.call("/math/add", [1]);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(peer.call("/cut", 1), (err) => err.code === Code.ConnClosed);
    await peer.call("/math/add", [1]);
  }
  assert.equal(n, 2);
  peer.close();
});

test("a token that can't be had is asked for again", async () => {
  let n = 0;
  const warn = console.warn;
  console.warn = () => {};
  try {
    const peer = connect(authURL, { minBackoff: 1, getToken: () => { if (++n < 3) throw new Error("no network"); return "good"; } });
    assert.equal(await peer.call("/math/add", [1], { timeout: 10000 }), 1);
    peer.close();
  } finally {
    console.warn = warn;
  }
  assert.equal(n, 3);
});
