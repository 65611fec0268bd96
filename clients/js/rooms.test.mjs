// Run against two nodes of a cluster at ERPC_URL and ERPC_URL_2, by rooms_test.go, and
// something that balances over them at ERPC_URL_ANY.
import test from "node:test";
import assert from "node:assert/strict";
import { connect, StatusError } from "./erpc.js";
import { Rooms } from "./rooms.js";

const url = process.env.ERPC_URL, other = process.env.ERPC_URL_2;
const balancer = process.env.ERPC_URL_ANY; // each connection goes to the next node
const until = async (what, cond) => {
  for (let end = Date.now() + 60000; !cond(); await new Promise((r) => setTimeout(r, 5))) {
    assert.ok(Date.now() < end, what);
  }
};

for (const [where, at] of [["to the same node", url], ["to another node", balancer]])
test(`a client that comes back ${where} gets what it missed, or is told`, async () => {
  const speaker = connect(other);
  const say = (n) => speaker.call("/say", n);
  const peer = connect(at, { minBackoff: 10, maxBackoff: 50 });
  const heard = { kept: [], free: [] }, afresh = [];
  const rooms = new Rooms(peer, "/join", { afresh: (room) => afresh.push(room) });
  rooms.on("/said", ({ room, n }) => { heard[room].push(n); });
  const node = await peer.call("/node", null);
  await rooms.join("kept");
  await rooms.join("free");
  assert.notEqual(rooms.position("kept"), "");
  assert.equal(rooms.position("free"), "");
  for (let n = 0; n < 40; n++) await say(n); // positions grow by a digit
  await until("the first words", () => heard.kept.length === 40 && heard.free.length === 40);
  const position = rooms.position("kept");

  await peer.call("/break", Array.from({ length: 10 }, (_, i) => 40 + i)).catch((err) => assert.ok(err instanceof StatusError));
  await until("what was missed", () => heard.kept.length === 50 && afresh.length > 0);
  assert.deepEqual(heard.kept, Array.from({ length: 50 }, (_, i) => i));
  assert.deepEqual(afresh, ["free"]);
  assert.notEqual(rooms.position("kept"), position);

  assert.equal(await peer.call("/node", null) === node, at === url);

  await say(50);
  await until("what comes", () => heard.kept.length === 51 && heard.free.at(-1) === 50);
  await rooms.leave("kept");
  await say(51);
  await until("the other room", () => heard.free.at(-1) === 51);
  assert.equal(heard.kept.length, 51);
  rooms.close();
  await assert.rejects(rooms.join("kept"));
  peer.close();
  speaker.close();
});

test("a room that the node refuses is not joined", async () => {
  const peer = connect(url);
  const rooms = new Rooms(peer, "/join");
  await assert.rejects(rooms.join("secret"), (err) => err instanceof StatusError && err.code === 403);
  rooms.close();
  peer.close();
});

test("a client is told that the history does not reach back", async () => {
  const peer = connect(url, { minBackoff: 2000 });
  const speaker = connect(other), afresh = [], heard = [];
  const rooms = new Rooms(peer, "/join", { afresh: (room) => afresh.push(room) });
  rooms.on("/said", ({ n }) => { heard.push(n); });
  await rooms.join("kept");
  await peer.call("/break", Array.from({ length: 150 }, (_, i) => i)).catch(() => {});
  await until("the word that it must start afresh", () => afresh.includes("kept"));
  await speaker.call("/say", 1000);
  await until("what comes", () => heard.at(-1) === 1000);
  assert.equal(heard.at(-1), 1000);
  assert.ok(heard.length < 150); // some may have come before the end of the connection
  rooms.close();
  peer.close();
  speaker.close();
});

test("a server that is not ready yet is tried again", async () => {
  const peer = connect(url.replace(/one$/, "later/one"), { minBackoff: 10, maxBackoff: 50 });
  assert.equal(await peer.call("/say", 3), 3);
  peer.close();
});
