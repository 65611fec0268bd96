// The page of the chat: a login over HTTP, then calls and pushes over erpc.js.
import { Code, connect } from "./erpc.js";

const $ = (id) => document.getElementById(id);
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
let me = ""; // the name that this page has logged in with
let joined = ""; // the room to join again after a lost connection
let room = ""; // the room whose pushes are shown; they may arrive before the reply to join
let refresh = 0; // timer of rooms

const peer = connect(`${scheme}//${location.host}/ws`, { getToken });
peer.on("/chat/message", (m) => { if (m.room === room) show(m); });
peer.on("/chat/members", (m) => {
  if (m.room !== room) return;
  list("members", m.members);
  markMe();
});
peer.onState((state, last) => {
  $("state").textContent = state;
  $("state").dataset.state = state;
  clearInterval(refresh);
  if (state === "refused") note(new Error(`${last.reason || "The server refuses this page."} Reload the page to log in again.`));
  if (state !== "open") return;
  $("join").hidden = false;
  if (joined) join(joined);
  rooms();
  refresh = setInterval(rooms, 3000);
});

// getToken asks the user to log in. The client calls it for the first connection,
// and again when the token expires or is refused.
function getToken() {
  $("login").hidden = false;
  $("join").hidden = true;
  $("name").focus();
  return new Promise((resolve) => {
    $("login").onsubmit = async (event) => {
      event.preventDefault();
      const name = $("name").value.trim();
      try {
        const response = await fetch("/login", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ name, password: $("password").value }),
        });
        const answer = await response.json();
        if (!response.ok) throw new Error(answer.msg);
        me = name;
        $("password").value = "";
        $("login").hidden = true;
        resolve(answer); // a token and its expiry
      } catch (err) {
        note(err);
      }
    };
  });
}

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  join($("room").value.trim());
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

async function join(to) {
  const before = room;
  room = to;
  try {
    await peer.call("/chat/join", { room }, { timeout: 10000 });
    joined = to;
    markMe();
    for (const line of [...$("messages").children]) if (line.dataset.room !== to) line.remove();
    $("text").disabled = $("send").disabled = false;
    $("text").placeholder = `Say something in ${to}`;
    $("text").focus();
    rooms();
  } catch (err) {
    room = before;
    note(err);
  }
}

async function rooms() {
  try {
    const count = await peer.call("/chat/rooms", {}, { timeout: 10000 });
    list("rooms", Object.keys(count).sort().map((name) => `${name} (${count[name]})`));
  } catch (err) {
    if (err.code !== Code.ConnClosed) note(err); // the state shows that
  }
}

function list(id, texts) {
  $(id).replaceChildren(...texts.map((text) => element("li", text)));
}

// markMe highlights the member that is this page.
function markMe() {
  for (const line of $("members").children) line.classList.toggle("me", line.textContent === me);
}

function show(m) {
  const line = element("li", "");
  line.classList.toggle("me", m.from === me);
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
