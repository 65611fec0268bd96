// The frame around the pages: which one is shown, and when it asks for data.

import { h, link, text } from "./dom.js";
import { overview } from "./overview.js";
import { methods } from "./methods.js";
import { slow } from "./slow.js";
import { sessions } from "./sessions.js";
import { session } from "./session.js";
import { streams } from "./streams.js";
import { rooms } from "./rooms.js";
import { limits } from "./limits.js";
import { call } from "./call.js";
import { peer } from "./peer.js";

// Each page is a function of its parameters that returns { element, load, show, every }.
// While the page is open and the window visible, load fetches what it needs beside
// the state of the peer, and then show is called with that; every so many
// milliseconds.
const pages = { overview, methods, slow, sessions, session, streams, rooms, limits, call };
const titles = [["overview", "Overview"], ["methods", "Methods"], ["slow", "Slow calls"], ["sessions", "Sessions"],
  ["streams", "Streams"], ["rooms", "Rooms"], ["limits", "Limits"], ["call", "Call"]];

const view = document.getElementById("view");
const trouble = document.getElementById("trouble");
const where = document.getElementById("where");
const tabs = new Map(titles.map(([page, title]) => [page, link(page, {}, title)]));
document.getElementById("nav").append(...tabs.values());

let shown = null;
let timer;
let aborted = new AbortController();

function parse() {
  const [page, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: Object.hasOwn(pages, page) ? page : "overview", params: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

function open() {
  const { page, params } = parse();
  for (const [name, tab] of tabs) {
    if (name === (page === "session" ? "sessions" : page)) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  aborted.abort();
  aborted = new AbortController();
  shown = pages[page](params);
  view.replaceChildren(shown.element);
  view.dataset.page = page;
  view.setAttribute("aria-busy", "true");
  document.title = (titles.find(([name]) => name === page)?.[1] ?? "Session") + " · erpc";
  window.scrollTo(0, 0);
  tick();
}

async function tick() {
  clearTimeout(timer);
  if (document.hidden) return; // nobody looks: visibilitychange goes on
  const page = shown, { signal } = aborted;
  try {
    await Promise.all([peer.refresh(signal), page.load?.(signal)]);
    if (page !== shown) return;
    page.show(peer);
    trouble.hidden = true;
    view.setAttribute("aria-busy", "false");
    document.body.classList.remove("stale");
    head();
  } catch (err) {
    if (page !== shown || signal.aborted) return;
    text(trouble, err.status ? err.message : "The peer does not answer. Trying again …");
    trouble.hidden = false;
    document.body.classList.toggle("stale", !err.status);
    if (err.status === 404) return; // such as a session that has ended
  }
  clearTimeout(timer);
  timer = setTimeout(tick, page.every ?? 1000);
}

function head() {
  const p = peer.last;
  if (!p) return;
  tabs.get("rooms").textContent = p.cluster ? "Rooms and nodes" : "Rooms";
  if (!where.firstChild) where.append(h("b"), h("span"));
  text(where.children[0], p.host + " · " + p.pid);
  text(where.children[1], p.listeners.length ? p.listeners.join(", ") : "does not listen");
}

window.addEventListener("hashchange", open);
document.addEventListener("visibilitychange", tick);
document.addEventListener("refresh", tick); // an action was done
open();
