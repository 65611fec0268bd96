// Uses all that erpc.d.ts declares. tsc checks it; see types_test.go. A line
// behind @ts-expect-error has to be refused.
import { connect, Code, Peer, StatusError } from "../erpc.js";
import { Rooms } from "../rooms.js";
import type { CallOptions, CloseInfo, Context, Options, SendOptions, State, Token } from "../erpc.js";

const token: Token = { token: "secret", expires: Date.now() + 1000 };
const options: Options = { reconnect: true, minBackoff: 1, maxBackoff: 2, stableAfter: 3, protocols: false, getToken: async ({ refused }) => refused ? "new" : token, WebSocket };
const peer: Peer = connect(new URL("wss://example.org/ws"), options);
connect("wss://example.org/ws");
new Peer("wss://example.org/ws");

const state: State = peer.state;
const off: () => void = peer.onState((s: State) => console.log(s === "open", state));
off();
peer.onState((s, last: CloseInfo | null) => { if (s === "refused") console.log(last?.code, peer.lastClose?.reason); });
peer.reconnect();

peer.on("/untyped", (arg) => console.log(arg)).on<number, number>("/typed", async (n, ctx: Context) => ctx.push ? 0 : n * 2);
peer.on<string>("/meta", (s, ctx) => { ctx.meta.from = s; });

async function all() {
  const send: SendOptions = { signal: new AbortController().signal, meta: { author: "me" } };
  const call: CallOptions = { ...send, timeout: 100 };
  const sum: number = await peer.call<number>("/add", [1, 2], call);
  const unknown: unknown = await peer.call("/add");
  await peer.push("/note", { sum, unknown }, send);
  try {
    await peer.call("/fail");
  } catch (err) {
    if (err instanceof StatusError) {
      const code: number = err.code, text: string = err.msg + err.detail + err.message;
      console.log(code === Code.NotFound, text);
    }
  }
  throw new StatusError(Code.Unauthorized, "no", "because");
}
all().then(() => peer.drain({ timeout: 5000 })).finally(() => peer.close());
peer.close(4000, "the user has left");

async function streams(): Promise<void> {
  for await (const price of peer.stream<number, string>("/prices", "EUR", { timeout: 1000 })) console.log(price + 1);
  const s = peer.stream<string, number>("/names");
  await s.send(1);
  await s.closeSend();
  const m: IteratorResult<string> = await s.next();
  console.log(m.done, s.signal.aborted, s.draining.aborted, (await s.ended)?.code);
  s.close();
  // @ts-expect-error: it sends numbers
  await s.send("1");
  peer.onStream<number, string>("/client/feed", async (feed, ctx) => {
    for await (const n of feed) await feed.send(String(n) + ctx.meta.author);
  });
}
streams();

// @ts-expect-error: an unknown reply is no number
peer.call("/add").then((n) => n + 1);
// @ts-expect-error: pushes have no timeout
peer.push("/note", 1, { timeout: 1 });
// @ts-expect-error
peer.state = "open";
// @ts-expect-error
connect();
// @ts-expect-error
const typo = Code.NotFond;

async function rooms(): Promise<void> {
  const rooms = new Rooms(peer, "/join", { afresh: (room: string) => console.log(room) });
  rooms.on<{ text: string }>("/said", (m, ctx) => console.log(m.text, ctx.meta.from)).on("/untyped", async () => {});
  await rooms.join("lobby", { timeout: 100 });
  const at: string = rooms.position("lobby");
  await rooms.leave("lobby");
  rooms.close();
  // @ts-expect-error: a name is text
  await rooms.join(1);
  console.log(at);
}
rooms();
