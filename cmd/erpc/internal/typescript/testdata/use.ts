import { connect } from "./erpc.js";
import type { TypedPeer, Node, Point } from "./methods";

const peer = connect("ws://localhost/ws") as TypedPeer;

export async function use(): Promise<Node> {
  const sum: number = await peer.call("/math/add", [1, 2, 3], { timeout: 5 });
  const at: Point = await peer.call("/move", { X: 1 });
  const y: number = at.Y; // what a result has is there
  await peer.push("/say", "hello");
  for await (const n of peer.stream("/count", { from: sum })) {
    const twice: number = n * 2 + y;
    console.log(twice);
  }
  const tree = await peer.call("/tree", null);
  return tree.children?.[0].children?.[0] ?? tree;
}

export async function mistakes() {
  // @ts-expect-error no such method
  await peer.call("/math/sub", [1]);
  // @ts-expect-error the argument is a list
  await peer.call("/math/add", "1");
  // @ts-expect-error it is a push
  await peer.call("/say", "hello");
  // @ts-expect-error the result is a number
  const text: string = await peer.call("/math/add", [1]);
  // @ts-expect-error what is sent has a number
  peer.stream("/count", { from: "1" });
  return text;
}
