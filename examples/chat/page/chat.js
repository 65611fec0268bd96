// The page of the chat: calls and pushes over erpc.js, and one fetch of the
// HTTP API.
import { connect } from "./erpc.js";

const NAME_TAKEN = 1002;
const $ = (id) => document.getElementById(id);
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const peer = connect(`${scheme}//${location.host}/ws`);
const api = `${location.protocol}//${location.hostname}:${document.body.dataset.apiPort}`;
let joined = null; // { room, name } to join again after a lost connection
let asked = 0; // number of the last API request; answers to earlier ones are ignored
let room = ""; // the room whose pushes are shown; they may arrive before the reply to join

peer.on("/chat/message", (m) => { if (m.room === room) show(m); });
peer.on("/chat/members", (m) => {
  if (m.room === room) {
    list("members", m.members);
    markMe();
  }
  rooms();
});
peer.onState((state, last) => {
  $("state").textContent = state;
  $("state").dataset.state = state;
  if (state === "refused") note(new Error(last.reason || "The server refuses this page."));
  if (state === "open" && joined) join(joined, 5);
});

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  join({ room: $("room").value.trim(), name: $("name").value.trim() }, 0);
});

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  try {
    await peer.call("/chat/say", { text }, { timeout: 10000 });
    $("text").value = "";
  } catch (err) {
    note(err);
  }
});

// join retries while the server has not noticed that the previous connection
// is gone, and the name is still taken.
async function join(to, retries) {
  const before = room;
  room = to.room;
  try {
    await peer.call("/chat/join", to, { timeout: 10000 });
    joined = to;
    markMe();
    for (const line of [...$("messages").children]) if (line.dataset.room !== room) line.remove();
    $("text").disabled = $("send").disabled = false;
    $("text").placeholder = `Say something in ${room}`;
    $("text").focus();
  } catch (err) {
    room = before;
    if (err.code === NAME_TAKEN && retries > 0) return void setTimeout(() => join(to, retries - 1), 1000);
    note(err);
  }
}

// rooms calls the HTTP API, which is on another port and so another origin.
async function rooms() {
  const mine = ++asked;
  try {
    const count = await (await fetch(`${api}/chat/rooms`)).json();
    if (mine === asked) list("rooms", Object.keys(count).sort().map((room) => `${room} (${count[room]})`));
  } catch (err) {
    note(err);
  }
}

function list(id, texts) {
  $(id).replaceChildren(...texts.map((text) => element("li", text)));
}

// markMe highlights the member that is this page.
function markMe() {
  for (const line of $("members").children) line.classList.toggle("me", line.textContent === joined?.name);
}

function show(m) {
  const line = element("li", "");
  line.classList.toggle("me", m.from === joined?.name);
  line.dataset.room = m.room;
  line.append(element("b", m.from), m.text);
  add(line);
}

function note(err) {
  const line = element("li", err.msg || err.message);
  line.className = "note";
  add(line);
}

function add(line) {
  $("messages").append(line);
  line.scrollIntoView();
}

// Texts of others are inserted as text, never as HTML.
function element(tag, text) {
  const e = document.createElement(tag);
  e.textContent = text;
  return e;
}

rooms();
