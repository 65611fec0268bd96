// Run against a peer at ERPC_URL, by js_test.go with node --test and by
// browser_test.go in Chromium.
import test from "node:test";
import assert from "node:assert/strict";
import { connect, StatusError, Code } from "./erpc.js";

const url = process.env.ERPC_URL;
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
  assert.equal(await peer.call("/hung", 3, { timeout: 20000 }), 3); // waits until all the handlers have ended
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
  assert.ok(sent < 20, `${sent} messages were sent to a program that takes nothing`);
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
