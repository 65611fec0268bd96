import { address, h, link, text } from "./dom.js";
import { get } from "./api.js";
import { Table, linkTo } from "./table.js";
import { bytes, long, whole } from "./format.js";

// sessionColumns are of a list of sessions; now is when it was fetched.
export function sessionColumns(now) {
  return [
    { title: "Session", name: true, grow: true, sort: "id", cell: (r, td) => linkTo(td, r.key && address("session", { key: r.key }), r.id || "(no id)") },
    { title: "User", name: true, wide: true, cell: (r) => r.user },
    { title: "Remote", wide: true, cell: (r) => (r.dialed ? "→ " : "← ") + r.remote },
    { title: "Protocol", wide: true, cell: (r) => r.protocol },
    { title: "Age", num: true, sort: "age", cell: (r) => (r.began ? long(now() - r.began) : "–") },
    { title: "In", num: true, sort: "in", cell: (r) => bytes(r.bytesIn) },
    { title: "Out", num: true, sort: "out", cell: (r) => bytes(r.bytesOut) },
    { title: "Queued", num: true, wide: true, sort: "queued", cell: (r) => bytes(r.queued) },
    { title: "Handlers", num: true, wide: true, sort: "handlers", cell: (r) => whole(r.handlers) },
    { title: "Pending", hint: "Calls from here without a reply", num: true, wide: true, sort: "pending", cell: (r) => whole(r.pending) },
    { title: "Streams", num: true, wide: true, sort: "streams", cell: (r) => whole(r.streams) },
    { title: "Dropped", hint: "Messages left out because the queue was full", num: true, wide: true, sort: "dropped", cell: (r) => whole(r.dropped) },
  ];
}

export function sessions(params) {
  let now = Date.now(), result;
  const query = { filter: params.filter ?? "", sort: params.sort ?? "id", desc: params.desc ?? "", page: Number(params.page ?? 0) || 0 };
  const go = (change) => { location.hash = address("sessions", { ...query, ...change }); };
  let typing;
  const filter = h("input", { type: "search", placeholder: "Filter by id, user or address", "aria-label": "Filter sessions", oninput: () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      query.filter = filter.value;
      query.page = 0;
      history.replaceState(null, "", address("sessions", query));
      document.dispatchEvent(new Event("refresh"));
    }, 250);
  } });
  filter.value = query.filter;
  const note = h("span", { class: "note" });
  const pager = h("nav", { class: "pager", "aria-label": "Pages of sessions" });
  const table = new Table({ columns: sessionColumns(() => now), key: (r) => r.key || r.id, empty: "No session.", sorted: (by, num) => {
    go({ sort: by, desc: (by === query.sort ? query.desc === "" : num) ? "1" : "", page: 0 });
  } });
  table.order(query.sort, query.desc !== "");
  return {
    every: 2000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Sessions"), filter, note), table.element, pager),
    async load(signal) { result = await get("sessions", query, signal); },
    show({ last }) {
      now = last.now;
      table.update(result.sessions);
      text(note, whole(result.total) + (query.filter ? " found" : " in all"));
      const p = query.page;
      pager.replaceChildren();
      if (p > 0) pager.append(link("sessions", { ...query, page: p - 1 }, "← previous"));
      if (result.pages > 1) pager.append(h("span", {}, "page " + (p + 1) + " of " + result.pages));
      if (p + 1 < result.pages) pager.append(link("sessions", { ...query, page: p + 1 }, "next →"));
    },
  };
}
