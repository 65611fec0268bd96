// What the dashboard knows of the peer: fetched each second, with the points of the
// history that are new.

import { get } from "./api.js";

class Peer {
  constructor() {
    this.last = undefined;
    this.points = [];
  }

  async refresh(signal) {
    const after = this.points.at(-1)?.at ?? 0;
    const o = await get("overview", { after }, signal);
    if (this.last && o.began !== this.last.began) this.points = []; // the peer is another one
    this.last = o;
    const oldest = o.now - o.keepMillis;
    this.points = this.points.filter((p) => p.at > oldest).concat(o.points.filter((p) => p.at > after));
  }
}

export const peer = new Peer();
