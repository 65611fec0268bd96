import { h, text } from "./dom.js";
import { get } from "./api.js";
import { Table } from "./table.js";
import { whole } from "./format.js";

export function rooms() {
  let v;
  const table = (empty) => new Table({ key: (r) => r.name, empty, columns: [
    { title: "Name", name: true, grow: true, cell: (r) => r.name },
    { title: "Members here", num: true, cell: (r) => whole(r.members) },
  ] });
  const groups = table("No session is in a group."), shared = table("No session of this node is in a room.");
  const nodes = h("ul", { class: "nodes" });
  const cluster = h("section", { hidden: true }, h("h2", {}, "Nodes"), nodes, h("h2", {}, "Rooms of the cluster"), shared.element);
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Rooms"), h("span", { class: "note" }, "the 100 with the most members on this peer")), cluster, h("h2", {}, "Groups of this peer"), groups.element),
    async load(signal) { v = await get("rooms", {}, signal); },
    show() {
      groups.update(v.groups);
      shared.update(v.rooms);
      cluster.hidden = !v.cluster;
      if (!v.cluster) return;
      const names = [v.cluster.node + " (this one)", ...v.cluster.nodes];
      if (nodes.children.length !== names.length) nodes.replaceChildren(...names.map(() => h("li", { class: "card" })));
      names.forEach((name, i) => text(nodes.children[i], name));
    },
  };
}
