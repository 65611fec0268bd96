// Uses all that erpc.d.ts declares. tsc checks it; see types_test.go. A line
// behind @ts-expect-error has to be refused.
import { connect, Code, Peer, StatusError } from "../erpc.js";
import type { CallOptions, Context, Options, SendOptions, State } from "../erpc.js";

const options: Options = { reconnect: true, minBackoff: 1, maxBackoff: 2, WebSocket };
const peer: Peer = connect(new URL("wss://example.org/ws"), options);
connect("wss://example.org/ws");
new Peer("wss://example.org/ws");

const state: State = peer.state;
const off: () => void = peer.onState((s: State) => console.log(s === "open", state));
off();

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
all().finally(() => peer.close());

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
