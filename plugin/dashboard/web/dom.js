// Elements are made here and nowhere else. What strangers have chosen, such as ids
// and names, only ever becomes text or the value of an attribute that h lets pass:
// never HTML, and never an address of another scheme.

const SVG = "http://www.w3.org/2000/svg";

// h makes an element. attrs may hold class, title, href beginning with "#", other
// plain attributes, and listeners as functions named on….
export function h(tag, attrs, ...children) {
  return fill(document.createElement(tag), attrs, children);
}

// s makes an element of SVG.
export function s(tag, attrs, ...children) {
  return fill(document.createElementNS(SVG, tag), attrs, children);
}

function fill(element, attrs, children) {
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "href" && !String(value).startsWith("#")) throw new Error("only links inside the page");
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((c) => c !== undefined && c !== null)); // strings become text
  return element;
}

// text sets the text of an element, and leaves one alone that has it already, so
// that a selection survives.
export function text(element, value) {
  const t = String(value);
  if (element.textContent !== t) element.textContent = t;
}

// link makes a link to a page, with parameters.
export function link(page, params, label, attrs) {
  return h("a", { ...attrs, href: address(page, params) }, label);
}

export function address(page, params) {
  const query = new URLSearchParams(params ?? {}).toString();
  return "#/" + page + (query ? "?" + query : "");
}
