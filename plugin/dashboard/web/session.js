import { h, link, text } from "./dom.js";
import { get, post } from "./api.js";
import { Chart } from "./chart.js";
import { list } from "./overview.js";
import { bytes, long, short, whole } from "./format.js";

const LENGTH = 120_000; // milliseconds of the charts, which begin when the page is opened

export function session(params) {
  let v, before;
  let points = [];
  const id = h("h1", { class: "id" });
  const facts = h("dl", { class: "facts card" });
  const charts = [
    new Chart({ title: "Bytes a second", format: bytes, base: 1024, millis: LENGTH, series: [{ name: "in", of: (p) => p.bytesIn, color: "a" }, { name: "out", of: (p) => p.bytesOut, color: "b" }] }),
    new Chart({ title: "Messages a second", format: short, millis: LENGTH, series: [{ name: "in", of: (p) => p.messagesIn, color: "a" }, { name: "out", of: (p) => p.messagesOut, color: "b" }] }),
    new Chart({ title: "Waiting to be written", format: bytes, base: 1024, millis: LENGTH, series: [{ name: "queued", of: (p) => p.queued, color: "a" }] }),
    new Chart({ title: "In flight", format: short, millis: LENGTH, series: [{ name: "handlers", of: (p) => p.handlers, color: "a" }, { name: "own calls", of: (p) => p.pending, color: "b" }] }),
  ];
  const actions = actionsOf(params.key);

  function record(at) {
    if (before) {
      const rate = (name) => Math.max(0, v[name] - before[name]) / Math.max(0.001, (at - before.at) / 1000);
      points = points.filter((p) => p.at > at - LENGTH);
      points.push({ at, bytesIn: rate("bytesIn"), bytesOut: rate("bytesOut"), messagesIn: rate("messagesIn"), messagesOut: rate("messagesOut"),
        queued: v.queued, handlers: v.handlers, pending: v.pending });
    }
    before = { ...v, at };
  }

  return {
    every: 1000,
    element: h("div", {}, h("div", { class: "bar" }, link("sessions", {}, "← Sessions"), id), facts, h("div", { class: "charts four" }, charts.map((c) => c.element)), actions.element),
    async load(signal) { v = await get("session", { key: params.key ?? "" }, signal); },
    show({ last }) {
      text(id, v.id || "(no id)");
      record(last.now);
      list(facts, [
        ["User", v.user || "–"],
        ["Remote", v.remote],
        ["Local", v.local],
        ["Protocol", v.protocol || "–"],
        ["Began", (v.began ? long(last.now - v.began) + " ago" : "–") + (v.dialed ? ", dialed from here" : ", accepted")],
        ["State", v.connected ? "connected" : "redialing"],
        ["Messages", whole(v.messagesIn) + " in, " + whole(v.messagesOut) + " out"],
        ["Bytes", bytes(v.bytesIn) + " in, " + bytes(v.bytesOut) + " out"],
        ["Dropped", whole(v.dropped)],
        ["Streams", whole(v.streams)],
        ["Being handled", bytes(v.inFlight)],
        ["Ages", (v.age ? "session " + long(v.age) : "session without limit") + ", " + (v.context ? "calls " + long(v.context) : "calls without limit")],
        ["Groups", v.groups.join(", ") || "–"],
        ["Rooms", v.rooms.join(", ") || "–"],
      ]);
      for (const chart of charts) chart.update(points, last.now);
      actions.element.hidden = !last.actions;
    },
  };
}

function actionsOf(key) {
  const said = h("output");
  const reason = h("input", { placeholder: "Reason, which the other side is told", "aria-label": "Reason", maxlength: 200 });
  const method = h("input", { placeholder: "/method", "aria-label": "Method of the push", required: true, pattern: "/.*" });
  const body = h("textarea", { rows: 3, "aria-label": "Body of the push as JSON", spellcheck: "false" });
  body.value = "{}";
  async function run(name, arg, done) {
    text(said, "…");
    try {
      const result = await post(name, { key, ...arg });
      text(said, result.code ? result.code + " " + result.msg + " " + result.cause : done);
    } catch (err) {
      text(said, err.message);
    }
  }
  const kick = () => {
    if (confirm("End this session, and the calls that are in flight?")) run("kick", { reason: reason.value }, "The session has ended.");
  };
  const goaway = () => run("goaway", {}, "The session takes no more calls, and ends with its last one.");
  const push = (event) => {
    event.preventDefault();
    let value;
    try {
      value = JSON.parse(body.value);
    } catch (err) {
      text(said, "The body is not JSON: " + err.message);
      return;
    }
    run("push", { method: method.value, body: value }, "The push was queued.");
  };
  const element = h("section", { class: "actions card", hidden: true }, h("h2", {}, "Actions"),
    h("div", { class: "row" }, reason, h("button", { type: "button", class: "danger", onclick: kick }, "End session"),
      h("button", { type: "button", class: "goaway", title: "No more calls are taken; those in flight end, and the other side dials again if it redials", onclick: goaway }, "Go away in good order")),
    h("form", { class: "row", onsubmit: push }, method, body, h("button", {}, "Push")), said);
  return { element };
}
