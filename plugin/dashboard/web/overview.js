import { h, link, text } from "./dom.js";
import { Chart } from "./chart.js";
import { post } from "./api.js";
import { bytes, long, short, span, whole } from "./format.js";

const time = (ns) => (ns > 0 ? span(ns) : "0");

const tiles = [
  { title: "Calls handled", unit: "/s", of: (p) => short(p.calls), about: (o) => whole(o.total.calls) + " in all", page: "methods" },
  { title: "Pushes handled", unit: "/s", of: (p) => short(p.pushes), about: (o) => whole(o.total.pushes) + " in all", page: "methods" },
  { title: "Errors", unit: "/s", of: (p) => short(p.errors), about: (o) => whole(o.total.errors) + " in all", page: "methods", bad: (p) => p.errors > 0 },
  { title: "In flight", of: (p) => short(p.handlers), about: () => "handlers at work", page: "slow" },
  { title: "Sessions", of: (p) => short(p.sessions), about: (o) => whole(o.total.accepts) + " accepted", page: "sessions" },
  { title: "Queued", of: (p) => bytes(p.queued), about: (o) => whole(o.total.dropped) + " messages dropped", page: "limits" },
];

const charts = [
  { title: "Handled a second", format: short, series: [{ name: "calls", of: (p) => p.calls, color: "a" }, { name: "pushes", of: (p) => p.pushes, color: "b" }] },
  { title: "Errors a second", format: short, series: [{ name: "errors", of: (p) => p.errors, color: "bad" }] },
  { title: "Calls took at most", format: time, log: 1e4, series: [{ name: "p50", of: (p) => p.p50, color: "a" }, { name: "p99", of: (p) => p.p99, color: "b" }] },
  { title: "Bytes a second", format: bytes, base: 1024, series: [{ name: "in", of: (p) => p.bytesIn, color: "a" }, { name: "out", of: (p) => p.bytesOut, color: "b" }] },
  { title: "In flight", format: short, series: [{ name: "handlers", of: (p) => p.handlers, color: "a" }, { name: "own calls", of: (p) => p.pending, color: "b" }] },
  { title: "Waiting to be written", format: bytes, base: 1024, series: [{ name: "queued", of: (p) => p.queued, color: "a" }] },
  { title: "Open", format: short, series: [{ name: "sessions", of: (p) => p.sessions, color: "a" }, { name: "streams", of: (p) => p.streams, color: "b" }] },
  { title: "Heap", format: bytes, base: 1024, series: [{ name: "in use", of: (p) => p.heap, color: "a" }] },
  { title: "Goroutines", format: short, series: [{ name: "goroutines", of: (p) => p.goroutines, color: "a" }] },
];

export function overview() {
  const cards = tiles.map((tile) => {
    const value = h("b"), note = h("small");
    const element = link(tile.page, {}, "", { class: "tile card" });
    element.append(h("span", {}, tile.title), h("strong", {}, value, h("i", {}, tile.unit ?? "")), note);
    return { ...tile, element, value, note };
  });
  const grid = h("div", { class: "charts" });
  const facts = h("dl", { class: "facts card" });
  const level = levelForm();
  let drawn;
  return {
    every: 1000,
    element: h("div", {}, h("div", { class: "tiles" }, cards.map((c) => c.element)), grid, facts, level.element),
    show({ last, points }) {
      if (!drawn) {
        drawn = charts.map((c) => new Chart({ ...c, millis: last.keepMillis }));
        grid.replaceChildren(...drawn.map((c) => c.element));
      }
      const p = points.at(-1);
      for (const c of cards) {
        text(c.value, p ? c.of(p) : "–");
        text(c.note, c.about(last));
        c.element.classList.toggle("bad", Boolean(p && c.bad?.(p)));
      }
      for (const chart of drawn) chart.update(points, last.now);
      list(facts, [
        ["Running for", long(last.now - last.began)],
        ["Messages", whole(last.total.messagesIn) + " in, " + whole(last.total.messagesOut) + " out"],
        ["Bytes", bytes(last.total.bytesIn) + " in, " + bytes(last.total.bytesOut) + " out"],
        ["Calls and pushes made here", whole(last.total.made)],
        ["Of methods nobody has registered", whole(last.total.unknown)],
        ["Connections", whole(last.total.accepts) + " accepted, " + whole(last.total.refused) + " refused, " + whole(last.total.ended) + " ended"],
        ["Errors of listeners", whole(last.total.acceptErrors)],
        ["Dials", whole(last.total.dials) + ", " + whole(last.total.dialErrors) + " failed"],
        ["Program", last.go + ", " + last.cpus + " processors"],
      ]);
      level.update(last);
    },
  };
}

// list fills a list of facts, and keeps its elements.
export function list(dl, facts) {
  if (dl.children.length !== facts.length) dl.replaceChildren(...facts.map(() => h("div", {}, h("dt"), h("dd"))));
  facts.forEach(([name, value], i) => {
    text(dl.children[i].children[0], name);
    text(dl.children[i].children[1], value);
  });
}

// levelForm sets the level of the log, where that is allowed.
function levelForm() {
  const select = h("select", { id: "level", onchange: change }, ["DEBUG", "INFO", "WARN", "ERROR"].map((l) => h("option", { value: l }, l)));
  const said = h("output");
  const element = h("form", { class: "level card", hidden: true, onsubmit: (e) => e.preventDefault() },
    h("label", { for: "level" }, "Level of the log"), select, said);
  async function change() {
    try {
      await post("level", { level: select.value });
      text(said, "set");
    } catch (err) {
      text(said, err.message);
    }
  }
  return {
    element,
    update(o) {
      element.hidden = !o.level || !o.actions;
      if (!element.hidden && document.activeElement !== select) select.value = o.level;
    },
  };
}
