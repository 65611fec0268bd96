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
