// Rooms of an erpc cluster: remembers the position in rooms with history, and joins
// again on each new connection, to any node. The nodes have
// Cluster.HandleJoin at the same path.
import { StatusError } from "./erpc.js";

const GAP = "/erpc.cluster/gap", META_ROOM = "X-Erpc-Room", META_POSITION = "X-Erpc-Pos";
const FIRST_PAUSE = 100, LAST_PAUSE = 5000; // between attempts to join again, in milliseconds

/** The rooms that the client is in. */
export class Rooms {
  #peer; #path; #afresh; #rooms = new Map(); #off; #connection = 0; #closed = false; #timers = new Set();

  /**
   * Joins with calls of path. afresh(room) is called when pushes of a room are permanently
   * lost: reload what you show.
   */
  constructor(peer, path, { afresh = () => {} } = {}) {
    this.#peer = peer;
    this.#path = path;
    this.#afresh = afresh;
    peer.on(GAP, (gap) => {
      this.#advance(gap.room, gap.position);
      this.#afresh(gap.room);
    });
    let open = peer.state === "open";
    this.#off = peer.onState((state) => {
      if (state === "open" && !open) this.#rejoin();
      open = state === "open";
    });
  }

  /** Makes f the handler of pushes of rooms to method: f(argument, { meta, push }). */
  on(method, f) {
    this.#peer.on(method, (arg, ctx) => {
      if (ctx.meta[META_POSITION]) this.#advance(ctx.meta[META_ROOM], ctx.meta[META_POSITION]);
      return f(arg, ctx);
    });
    return this;
  }

  /** Makes the client a member of a room until leave. Rejects if the node refuses. */
  async join(room, options) {
    if (this.#closed) throw new Error("erpc: the rooms are closed");
    if (!this.#rooms.has(room)) this.#rooms.set(room, { at: "", version: 0, joined: false });
    try {
      await this.#join(room, options);
    } catch (err) {
      this.#rooms.delete(room);
      throw err;
    }
  }

  /** Ends the membership. */
  async leave(room, options) {
    this.#rooms.delete(room);
    await this.#peer.call(this.#path, { room, leave: true }, options);
  }

  /** The position of the last push of a room, "" if it has no history. */
  position(room) { return this.#rooms.get(room)?.at ?? ""; }

  /** Stops joining rooms again. */
  close() {
    this.#closed = true;
    this.#off();
    this.#timers.forEach(clearTimeout);
  }

  // Resolves with whether the client gets everything that it missed.
  async #join(name, options) {
    const room = this.#rooms.get(name);
    if (!room) return true; // it has left
    const { at, version } = room;
    const joined = await this.#peer.call(this.#path, at ? { room: name, position: at } : { room: name }, options);
    room.joined = true;
    if (!joined.recovered && room.version === version) { // otherwise a push has arrived meanwhile
      room.at = joined.position;
      room.version++;
    }
    return joined.recovered;
  }

  #rejoin() {
    this.#connection++;
    for (const [name, room] of this.#rooms) {
      if (room.joined) this.#again(name, this.#connection, FIRST_PAUSE); // otherwise join is still waiting for the connection
    }
  }

  // Joins a room again until it succeeds, over the connection with that number.
  async #again(room, connection, pause) {
    if (this.#closed || connection !== this.#connection) return;
    try {
      const recovered = await this.#join(room);
      if (!recovered && this.#rooms.has(room)) this.#afresh(room);
    } catch (err) {
      if (!(err instanceof StatusError)) throw err;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#again(room, connection, Math.min(2 * pause, LAST_PAUSE));
      }, pause);
      this.#timers.add(timer);
    }
  }

  // Records a position that is later than the last one, or of another epoch.
  #advance(name, at) {
    const room = this.#rooms.get(name);
    if (!room || !at) return;
    const [epoch, seq] = at.split("."), [lastEpoch, last] = room.at.split(".");
    if (epoch === lastEpoch && !later(seq, last)) return;
    room.at = at;
    room.version++;
  }
}

// Compares base 36 numbers, which may exceed the precision of JavaScript numbers.
function later(a, b) { return a.length !== b.length ? a.length > b.length : a > b; }
