import { address, h, text } from "./dom.js";
import { get } from "./api.js";
import { Spark } from "./chart.js";
import { Table, once } from "./table.js";
import { short, span, whole } from "./format.js";

const SPARKS = 60; // values of a line: five minutes, one for each five seconds
const SHOWN = 200; // rows; the filter finds others

export const methodColumns = [
  { title: "Method", name: true, grow: true, sort: "name", cell: (m, td) => {
    const cell = once(td, () => {
      // What is registered here can be called from the form; a row keeps its method.
      const form = ["call", "push", "stream"].includes(m.kind) && !m.name.startsWith("(");
      const name = form ? h("a", { href: address("call", { method: m.name, kind: m.kind }) }) : h("span"), kind = h("span", { class: "tag" });
      return { element: h("span", { class: "method" }, name, kind), name, kind };
    });
    text(cell.name, m.name);
    text(cell.kind, m.kind);
  } },
  { title: "Rate", hint: "A second, in the last minute", num: true, sort: "rate", cell: (m) => short(m.rate) + "/s" },
  { title: "Last 5 minutes", wide: true, cell: (m, td) => { once(td, () => new Spark()).update(m.spark, SPARKS); } },
  { title: "p50 ≤", hint: "Half of those in the last minute took no longer", num: true, wide: true, sort: "p50", cell: (m) => span(m.p50) },
  { title: "p99 ≤", hint: "99 of 100 of those in the last minute took no longer", num: true, sort: "p99", cell: (m) => span(m.p99) },
  { title: "Open", hint: "Begun and not ended", num: true, wide: true, sort: "open", cell: (m) => whole(m.open) },
  { title: "Total", num: true, wide: true, sort: "total", cell: (m) => whole(m.total) },
  { title: "Errors", hint: "Since the start, by code", num: true, sort: "failed", cell: (m, td) => {
    const cell = once(td, () => ({ element: h("span", { class: "codes" }) })).element;
    const parts = m.codes.slice(0, 4).map((c) => [c.code || "others", whole(c.n), c.text]);
    if (m.codes.length > 4) parts.push(["…", "", m.codes.length - 4 + " more codes"]);
    const now = JSON.stringify(parts);
    if (cell.now !== now) {
      cell.now = now;
      cell.replaceChildren(...parts.map(([code, n, about]) => h("span", { class: "tag bad", title: about }, code, " ", h("b", {}, n))));
      if (!parts.length) cell.append("0");
    }
  } },
];

export function methods(params) {
  let sort = params.sort || "rate", descending = params.desc !== "", rows = [];
  const filter = h("input", { type: "search", placeholder: "Filter methods", "aria-label": "Filter methods", oninput: draw });
  const note = h("span", { class: "note" });
  const table = new Table({ columns: methodColumns, key: (m) => m.kind + " " + m.name, empty: "No method is registered here, or was called.", sorted: (by, num) => {
    descending = by === sort ? !descending : num;
    sort = by;
    draw();
  } });

  function draw() {
    const wanted = filter.value.toLowerCase();
    const found = rows.filter((m) => (m.name + " " + m.kind).toLowerCase().includes(wanted));
    found.sort((a, b) => (descending ? -1 : 1) * (a[sort] < b[sort] ? -1 : a[sort] > b[sort] ? 1 : 0) || (a.name < b.name ? -1 : 1));
    table.order(sort, descending);
    table.update(found.slice(0, SHOWN));
    text(note, found.length > SHOWN ? "the first " + SHOWN + " of " + whole(found.length) : whole(found.length) + (found.length === 1 ? " method" : " methods"));
  }

  return {
    every: 1000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Methods"), filter, note), table.element,
      h("p", { class: "hint" }, "Calls of methods that nobody has registered are counted together, as (unknown).")),
    async load(signal) { rows = await get("methods", {}, signal); },
    show: draw,
  };
}
