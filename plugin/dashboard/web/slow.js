import { address, h } from "./dom.js";
import { get } from "./api.js";
import { Table, linkTo } from "./table.js";
import { clock, span } from "./format.js";

const method = { title: "Method", name: true, grow: true, cell: (c) => c.method };
const where = [
  { title: "What", wide: true, cell: (c) => c.kind },
  { title: "Began", wide: true, cell: (c) => clock(c.at) },
  { title: "Session", name: true, wide: true, cell: (c, td) => linkTo(td, c.key && address("session", { key: c.key }), c.id) },
  { title: "Remote", wide: true, cell: (c) => c.remote },
];

export function slow() {
  let v;
  const running = new Table({
    key: (c) => c.at + " " + c.method + " " + c.id,
    empty: "No handler is at work.",
    columns: [{ title: "For", num: true, cell: (c) => span(c.took) }, method, ...where],
  });
  const slowest = new Table({
    key: (c) => [c.at, c.took, c.method, c.id].join(" "),
    empty: "No call has ended in the last five minutes.",
    columns: [{ title: "Took", num: true, cell: (c) => span(c.took) }, method, { title: "Ended with", cell: (c) => (c.code ? (c.code + " " + c.text).trim() : "OK") }, ...where],
  });
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Slow calls")),
      h("h2", {}, "At work now: the oldest"), running.element,
      h("h2", {}, "The 20 slowest of each of the last five minutes"), slowest.element,
      h("p", { class: "hint" }, "Arguments are not kept. Streams are not among them: they last as long as their sides want.")),
    async load(signal) { v = await get("slow", {}, signal); },
    show() {
      running.update(v.running);
      slowest.update(v.slowest);
    },
  };
}
