import { h, link, text } from "./dom.js";
import { get, post } from "./api.js";

// quote writes an argument of a shell.
function quote(arg) {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : "'" + arg.replaceAll("'", "'\\''") + "'";
}

// command writes the command that does what the form does, and opens streams, which
// the form can't.
export function command(about, body, token) {
  const verb = ["push", "stream"].includes(about.kind) ? about.kind : "call";
  let arg = body.trim();
  try {
    arg = JSON.stringify(JSON.parse(arg));
  } catch { /* it is not JSON yet */ }
  const auth = token ? " -auth '$ERPC_TOKEN'" : "";
  return "erpc " + verb + auth + " " + quote(about.target) + " " + quote(about.name) + (arg ? " " + quote(arg) : "");
}

export function call(params) {
  let forms, about, wanted = params.method ? { name: params.method, kind: params.kind } : undefined, actions;
  const filter = h("input", { type: "search", placeholder: "Filter methods", "aria-label": "Filter methods", oninput: drawList });
  const names = h("ul", { class: "methods" });
  const title = h("h2", { class: "id" }), types = h("p", { class: "note" });
  const body = h("textarea", { rows: 10, spellcheck: "false", "aria-label": "Argument as JSON", oninput: drawCommand });
  const token = h("input", { type: "password", autocomplete: "off", placeholder: "Token, if the method wants one", "aria-label": "Token", oninput: drawCommand });
  const code = h("code"), copied = h("output");
  const shell = h("section", {}, h("h3", {}, "As a command"), h("div", { class: "command" }, code, h("button", { type: "button", onclick: copy }, "Copy"), copied));
  const send = h("button", {}, "Call");
  const result = h("pre", { class: "result", hidden: true });
  const schema = h("pre");
  const form = h("form", { class: "card", hidden: true, onsubmit: submit }, title, types, body,
    h("div", { class: "row" }, token, send),
    result,
    shell,
    h("details", {}, h("summary", {}, "Schemas"), schema));
  const pick = h("p", { class: "empty card" }, "Choose a method.");

  function drawList() {
    const f = filter.value.toLowerCase();
    const found = (forms ?? []).filter((m) => m.name.toLowerCase().includes(f)).slice(0, 500);
    names.replaceChildren(...found.map((m) => h("li", {}, link("call", { method: m.name, kind: m.kind }, m.name, { "aria-current": wanted && m.name === wanted.name && m.kind === wanted.kind ? "true" : null }), h("span", { class: "tag" }, m.kind))));
    if (!found.length) names.append(h("li", {}, "No method."));
  }

  function drawCommand() {
    if (about) text(code, command(about, body.value, token.value));
    text(copied, "");
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(code.textContent);
      text(copied, "copied");
    } catch {
      getSelection().selectAllChildren(code); // without https there may be no clipboard
      text(copied, "press Ctrl+C");
    }
  }

  async function submit(event) {
    event.preventDefault();
    let arg;
    try {
      arg = JSON.parse(body.value.trim() || "null");
    } catch (err) {
      say("The argument is not JSON: " + err.message, true);
      return;
    }
    say("…");
    try {
      const begin = performance.now();
      const r = await post("call", { method: about.name, kind: about.kind, body: arg, token: token.value });
      const took = " (" + Math.round(performance.now() - begin) + " ms)";
      if (r.code) say(r.code + " " + r.msg + (r.cause ? ": " + r.cause : "") + took, true);
      else say((pretty(r.body) || "done") + "\n" + took);
    } catch (err) {
      say(err.message, true);
    }
  }

  function say(what, bad) {
    result.hidden = false;
    result.classList.toggle("bad", Boolean(bad));
    text(result, what);
  }

  return {
    every: 5000,
    element: h("div", {}, h("div", { class: "bar" }, h("h1", {}, "Call")), h("div", { class: "split" }, h("div", { class: "card" }, filter, names), h("div", {}, pick, form))),
    async load(signal) {
      forms ??= await get("handlers", {}, signal);
      if (wanted && !about) about = await get("describe", { method: wanted.name, kind: wanted.kind }, signal);
    },
    show({ last }) {
      if (!names.firstChild) drawList();
      if (about && form.hidden) {
        form.hidden = false;
        pick.hidden = true;
        text(title, about.name);
        text(types, about.kind + " · takes " + (about.arg || "nothing") + (about.result ? " · returns " + about.result : ""));
        body.value = about.example === "null" ? "" : about.example;
        text(schema, "argument: " + JSON.stringify(about.argSchema, null, 2) + "\n\nresult: " + JSON.stringify(about.resultSchema, null, 2));
        drawCommand();
      }
      actions = last.actions;
      send.hidden = token.hidden = !actions || about?.kind === "stream"; // for streams there is the command
      text(send, about?.kind === "push" ? "Push" : "Call");
    },
  };
}

function pretty(t) {
  try {
    return JSON.stringify(JSON.parse(t), null, 2);
  } catch {
    return t;
  }
}
