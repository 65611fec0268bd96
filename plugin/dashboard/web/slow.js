import { address, h } from "./dom.js";
import { get } from "./api.js";
import { Table, linkTo } from "./table.js";
import { clock, span } from "./format.js";

export function slow() {
  let rows = [];
  const table = new Table({
    key: (c) => [c.at, c.took, c.method, c.id].join(" "),
    empty: "No call has ended in the last five minutes.",
    columns: [
      { title: "Took", num: true, cell: (c) => span(c.took) },
      { title: "Method", name: true, grow: true, cell: (c) => c.method },
      { title: "What", wide: true, cell: (c) => c.kind },
      { title: "Ended with", cell: (c) => (c.code ? c.code + " " + c.text : "OK") },
      { title: "Began", wide: true, cell: (c) => clock(c.at) },
      { title: "Session", name: true, wide: true, cell: (c, td) => linkTo(td, c.key && address("session", { key: c.key }), c.id) },
      { title: "Remote", wide: true, cell: (c) => c.remote },
    ],
  });
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Slow calls"), h("span", { class: "note" }, "the 20 slowest of each of the last five minutes")), table.element,
      h("p", { class: "hint" }, "Arguments are not kept. Streams are not among them: they last as long as their sides want.")),
    async load(signal) { rows = await get("slow", {}, signal); },
    show() { table.update(rows); },
  };
}
