// Line charts in SVG: one or two series over the last minutes, with a scale that
// begins at 0, and the values of the moment that the pointer is at.

import { h, s, text } from "./dom.js";
import { clock } from "./format.js";

const H = 132, LEFT = 54, RIGHT = 8, TOP = 8, BOTTOM = 20; // pixels

// ceil returns the end of a scale: a round number, of units of the base.
function ceil(max, base) {
  if (!(max > 0)) return 1;
  const power = base === 1024 ? 1024 ** Math.floor(Math.log(max) / Math.log(1024)) : 1;
  const m = max / power;
  const ten = 10 ** Math.floor(Math.log10(m));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((k) => m <= k * ten * 1.0001);
  return step * ten * power;
}

export class Chart {
  // series are { name, of: (point) => number, color: "a" or "b" or "bad" }. With log,
  // the scale is logarithmic and begins at that value in place of 0.
  constructor({ title, series, format, base = 1000, millis, log }) {
    Object.assign(this, { series, format, base, millis, log, points: [], width: 400 });
    this.grid = s("g", { class: "grid" });
    this.lines = series.map((line) => ({
      ...line,
      area: s("path", { class: "area " + line.color }),
      path: s("path", { class: "line " + line.color }),
      dot: s("circle", { class: "dot " + line.color, r: 3.5, visibility: "hidden" }),
      value: h("b"),
    }));
    this.cursor = s("line", { class: "cursor", y1: TOP, y2: H - BOTTOM, visibility: "hidden" });
    this.time = h("span", { class: "time" });
    this.svg = s("svg", { height: H, role: "img", "aria-label": title,
      onpointermove: (e) => this.point(e), onpointerleave: () => this.point(null) },
    this.grid, this.lines.map((l) => l.area), this.lines.map((l) => l.path), this.cursor, this.lines.map((l) => l.dot));
    this.element = h("figure", { class: "chart card" },
      h("figcaption", {}, h("h2", {}, title), this.time,
        h("span", { class: "legend" }, this.lines.map((l) => h("span", {}, h("i", { class: "key " + l.color }), l.name + " ", l.value)))),
      this.svg);
    new ResizeObserver(() => { if (this.now) this.update(this.points, this.now); }).observe(this.svg);
  }

  update(points, now) {
    this.points = points;
    this.now = now;
    this.width = this.svg.clientWidth || this.width; // 0 before it is shown
    const max = Math.max(0, ...points.flatMap((p) => this.series.map((l) => l.of(p))));
    this.max = this.log ? 10 ** Math.ceil(Math.log10(Math.max(max, 100 * this.log)) - 1e-9) : ceil(max, this.base);
    this.drawGrid();
    for (const line of this.lines) {
      const at = points.map((p) => this.x(p.at).toFixed(1) + " " + this.y(line.of(p)).toFixed(1));
      line.path.setAttribute("d", at.length ? "M" + at.join("L") : "");
      const floor = H - BOTTOM;
      line.area.setAttribute("d", at.length ? `M${this.x(points[0].at).toFixed(1)} ${floor}L` + at.join("L") + `L${this.x(points.at(-1).at).toFixed(1)} ${floor}Z` : "");
    }
    this.show();
  }

  x(at) { return LEFT + (this.width - LEFT - RIGHT) * Math.max(0, 1 - (this.now - at) / this.millis); }
  y(v) {
    const share = this.log ? Math.log(Math.max(v, this.log) / this.log) / Math.log(this.max / this.log) : v / this.max;
    return TOP + (H - TOP - BOTTOM) * (1 - share);
  }

  // marks are the values that the scale names.
  marks() {
    if (!this.log) return this.max > 1 ? [0, this.max / 2, this.max] : [0, this.max];
    const decades = Math.round(Math.log10(this.max / this.log));
    return [...Array(decades + 1).keys()].filter((i) => decades < 5 || i % 2 === 0).map((i) => this.log * 10 ** i);
  }

  drawGrid() {
    const marks = this.marks();
    const label = (x, y, anchor, t) => { const e = s("text", { x, y, "text-anchor": anchor }); e.textContent = t; return e; };
    const minutes = this.millis / 60000;
    const times = minutes >= 2 ? [...Array(Math.floor(minutes) + 1).keys()] : [0, minutes];
    this.grid.replaceChildren(
      ...marks.flatMap((v) => [s("line", { x1: LEFT, x2: this.width - RIGHT, y1: this.y(v), y2: this.y(v) }), label(LEFT - 6, this.y(v) + 4, "end", this.format(v))]),
      ...times.map((m) => label(this.x(this.now - m * 60000), H - 5, m === 0 ? "end" : m * 60000 >= this.millis ? "start" : "middle", m === 0 ? "now" : "−" + m + "m")));
  }

  point(event) {
    if (!event || !this.points.length) {
      this.at = undefined;
    } else {
      const box = this.svg.getBoundingClientRect();
      const x = event.clientX - box.left;
      this.at = this.now - (1 - (x - LEFT) / (this.width - LEFT - RIGHT)) * this.millis;
    }
    this.show();
  }

  // show writes the values of the moment, or the last ones.
  show() {
    const points = this.points;
    let p = points.at(-1);
    if (this.at !== undefined) p = points.reduce((a, b) => (Math.abs(b.at - this.at) < Math.abs(a.at - this.at) ? b : a));
    const pointed = this.at !== undefined && p ? "visible" : "hidden";
    this.cursor.setAttribute("visibility", pointed);
    text(this.time, pointed === "visible" ? clock(p.at) : "");
    for (const line of this.lines) {
      text(line.value, p ? this.format(line.of(p)) : "–");
      line.dot.setAttribute("visibility", pointed);
      if (pointed === "visible") {
        line.dot.setAttribute("cx", this.x(p.at));
        line.dot.setAttribute("cy", this.y(line.of(p)));
      }
    }
    if (pointed === "visible") {
      this.cursor.setAttribute("x1", this.x(p.at));
      this.cursor.setAttribute("x2", this.x(p.at));
    }
  }
}

// Spark is a line without a scale, for a row of a table.
export class Spark {
  constructor() {
    this.path = s("path", { class: "line a" });
    this.element = s("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, this.path);
  }

  update(values, length) {
    const max = Math.max(...values, 1e-9);
    const x = (i) => 100 - (values.length - 1 - i) * 100 / Math.max(1, length - 1);
    this.path.setAttribute("d", values.length ? "M" + values.map((v, i) => x(i).toFixed(1) + " " + (22.5 - 21 * v / max).toFixed(1)).join("L") : "");
  }
}
