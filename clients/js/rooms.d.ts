import type { CallOptions, Context, Peer } from "./erpc.js";

/**
 * The rooms of a cluster that the client is in. It joins them again on
 * each new connection, and remembers the position in rooms with history.
 */
export declare class Rooms {
  /**
   * Joins with calls of path, where the node has Cluster.HandleJoin. afresh is called
   * when pushes of a room are permanently lost: reload what you show.
   */
  constructor(peer: Peer, path: string, options?: { afresh?: (room: string) => void });
  /** Makes f the handler of pushes of rooms to a method. */
  on<A = unknown>(method: string, f: (arg: A, ctx: Context) => void | Promise<void>): this;
  /** Makes the client a member of a room until leave. Rejects if the node refuses. */
  join(room: string, options?: CallOptions): Promise<void>;
  /** Ends the membership. */
  leave(room: string, options?: CallOptions): Promise<void>;
  /** The position of the last push of a room, "" if it has no history. */
  position(room: string): string;
  /** Stops joining rooms again. */
  close(): void;
}
