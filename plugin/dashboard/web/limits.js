import { address, h, s, text } from "./dom.js";
import { get } from "./api.js";
import { Table, linkTo, once } from "./table.js";
import { bytes, long, whole } from "./format.js";

const share = (l) => (l.max > 0 && l.now >= 0 ? l.now / l.max : undefined);
const amount = (l, n) => (l.bytes ? bytes(n) : whole(n));

// gauge shows how near a limit is.
function gauge() {
  const bar = s("rect", { height: 8, rx: 2, width: 0 });
  const percent = h("span", { class: "percent" });
  return { bar, percent, element: h("span", { class: "gauge" }, s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "whole", width: 100, height: 8, rx: 2 }), bar), percent) };
}

const columns = [
  { title: "Limit", cell: (l) => l.name },
  { title: "Now", num: true, hint: "≤ is the limit of what is not counted", cell: (l) => (l.now >= 0 ? amount(l, l.now) : l.max ? "≤ " + amount(l, l.max) : "–") },
  { title: "At most", num: true, wide: true, cell: (l) => (l.max ? amount(l, l.max) : "no limit") },
  { title: "How near", grow: true, cell: (l, td) => {
    const g = once(td, gauge), near = share(l);
    g.element.hidden = near === undefined;
    g.bar.setAttribute("width", Math.min(100, 100 * (near ?? 0)));
    g.element.setAttribute("class", "gauge " + (near > 0.9 ? "bad" : near > 0.7 ? "warn" : ""));
    text(g.percent, near === undefined ? "" : near > 0 && near < 0.01 ? "<1%" : Math.round(100 * near) + "%");
  } },
];

export function limits() {
  let v;
  const peer = new Table({ columns, key: (l) => l.name });
  const one = new Table({ key: (l) => l.name, columns: [...columns, { title: "Session", name: true, wide: true, cell: (l, td) => linkTo(td, l.key && address("session", { key: l.key }), l.id ?? "") }] });
  const times = new Table({ key: (l) => l.name, columns: [
    { title: "Limit in time", name: true, grow: true, cell: (l) => l.name },
    { title: "At most", num: true, cell: (l) => (l.max > 0 ? long(l.max) : "no limit") },
  ] });
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Limits")), h("h2", {}, "Of the peer"), peer.element, h("h2", {}, "Of one session: the one that is nearest"), one.element, h("h2", {}, "Of time"), times.element),
    async load(signal) { v = await get("limits", {}, signal); },
    show() {
      peer.update(v.peer);
      one.update(v.sessions);
      times.update(v.times);
    },
  };
}
