// Tables whose rows stay the same elements while their values change, so that
// nothing moves under the pointer and selections survive.

import { h, text } from "./dom.js";

export class Table {
  // columns are { title, hint, sort, num, wide, grow, cell: (row, td) => text or nothing }:
  // wide ones are left out on narrow screens. A cell that returns nothing has
  // filled in td itself. key names a row; sorted is called with the sort of the
  // column whose head was clicked.
  constructor({ columns, key, empty, sorted }) {
    Object.assign(this, { columns, key, rows: new Map() });
    this.heads = columns.map((c) => {
      const label = c.sort && sorted ? h("button", { type: "button", onclick: () => sorted(c.sort, Boolean(c.num)) }, c.title) : c.title;
      return h("th", { class: classes(c), scope: "col", title: c.hint }, label);
    });
    this.body = h("tbody");
    this.empty = h("p", { class: "empty", hidden: true }, empty ?? "Nothing to show.");
    this.element = h("div", { class: "table card" }, h("table", {}, h("thead", {}, h("tr", {}, this.heads)), this.body), this.empty);
  }

  // order marks the column that rows are sorted by.
  order(sort, descending) {
    this.columns.forEach((c, i) => {
      if (c.sort === sort && sort) this.heads[i].setAttribute("aria-sort", descending ? "descending" : "ascending");
      else this.heads[i].removeAttribute("aria-sort");
    });
  }

  update(list) {
    const before = this.rows;
    this.rows = new Map();
    let next = this.body.firstChild;
    for (const row of list) {
      let key = this.key(row);
      while (this.rows.has(key)) key += "'"; // rows that can't be told from each other are still as many
      let tr = before.get(key);
      before.delete(key);
      if (!tr) tr = h("tr", {}, this.columns.map((c) => h("td", { class: classes(c) })));
      this.rows.set(key, tr);
      this.columns.forEach((c, i) => {
        const td = tr.children[i];
        const value = c.cell(row, td);
        if (value !== undefined) text(td, value);
      });
      if (tr === next) next = next.nextSibling;
      else this.body.insertBefore(tr, next);
    }
    for (const tr of before.values()) tr.remove();
    this.empty.hidden = list.length > 0;
  }
}

function classes(c) {
  return [c.num && "num", c.wide && "wide", c.grow && "grow", c.name && "name"].filter(Boolean).join(" ") || undefined;
}

// once fills a cell with what make returns when it is empty, and returns that.
export function once(td, make) {
  if (!td.made) {
    td.made = make();
    td.replaceChildren(td.made.element ?? td.made);
  }
  return td.made;
}

// linkTo shows a link in a cell, or plain text if there is no address.
export function linkTo(td, href, label) {
  if (!href) {
    td.made = undefined;
    return label;
  }
  const a = once(td, () => h("a"));
  if (a.getAttribute("href") !== href) a.setAttribute("href", href.startsWith("#") ? href : "#");
  text(a, label);
  return undefined;
}
