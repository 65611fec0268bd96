// Made by erpc types from what a peer tells of its methods.

import type { CallOptions, Peer, SendOptions, Stream } from "./erpc.js";

export type Point = {
  "X": number;
  "Y": number;
};

export type Node = {
  "In": {
    "Deep": (boolean | null)[] | null;
  };
  "any": unknown;
  "at": string;
  "children": Node[] | null;
  "name": string;
  "seen": Record<string, number> | null;
};

export type PointInput = {
  "X"?: number;
  "Y"?: number;
};

export type NodeInput = {
  "In"?: {
    "Deep"?: (boolean | null)[] | null;
  };
  "any"?: unknown;
  "at"?: string;
  "children"?: NodeInput[] | null;
  "name"?: string;
  "seen"?: Record<string, number> | null;
};

export type From = {
  "from"?: number;
};

export interface Calls {
  /** adds numbers */
  "/math/add": { arg: number[] | null; result: number };
  "/move": { arg: PointInput; result: Point };
  "/tree": { arg: null; result: Node };
  "/tree/grow": { arg: NodeInput; result: Node };
}

export interface Pushes {
  /** says *\/ alert() hello */
  "/say": { arg: string };
}

export interface Streams {
  "/count": { send: From; receive: number };
}

/** What connect returns, for the methods above: const peer = connect(url) as TypedPeer. */
export type TypedPeer = Omit<Peer, "call" | "push" | "stream"> & {
  call<M extends keyof Calls>(method: M, arg: Calls[M]["arg"], options?: CallOptions): Promise<Calls[M]["result"]>;
  push<M extends keyof Pushes>(method: M, arg: Pushes[M]["arg"], options?: SendOptions): Promise<void>;
  stream<M extends keyof Streams>(method: M, arg?: Streams[M]["send"], options?: CallOptions): Stream<Streams[M]["receive"], Streams[M]["send"]>;
};
