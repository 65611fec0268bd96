import { h, text } from "./dom.js";
import { get } from "./api.js";
import { Table } from "./table.js";
import { methodColumns } from "./methods.js";
import { sessionColumns } from "./sessions.js";
import { whole } from "./format.js";

export function streams() {
  let v, now = Date.now();
  const note = h("span", { class: "note" });
  const kinds = new Table({ columns: methodColumns.map((c) => (["Rate", "Total"].includes(c.title) ? { ...c, hint: "Streams that have ended" } : { ...c, wide: c.title === "Open" ? false : c.wide })), key: (m) => m.name, empty: "No handler of streams is registered." });
  const who = new Table({ columns: sessionColumns(() => now).map((c) => ({ ...c, wide: c.title === "Streams" ? false : ["In", "Out"].includes(c.title) || c.wide })), key: (r) => r.key || r.id, empty: "No session has a stream open." });
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Streams"), note), h("h2", {}, "By method"), kinds.element, h("h2", {}, "Sessions with the most"), who.element),
    async load(signal) { v = await get("streams", {}, signal); },
    show({ last }) {
      now = last.now;
      text(note, whole(v.open) + " open");
      kinds.update(v.methods);
      who.update(v.sessions);
    },
  };
}
