// Elements, filled with text and nothing but text: what comes from a service may hold markup.

export function byId(id) {
  return document.getElementById(id);
}

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Write a text, if it is another one: a live region speaks of every change. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function mark(target, name, value) {
  if (target.dataset[name] !== value) target.dataset[name] = value;
}

/**
 * Keep a list of children in step with a list of items, moving and making as few as possible, so
 * that nothing flickers and neither focus nor selection is lost.
 *
 * key(item) names it, make(item) returns its element, fill(element, item) writes what changed.
 */
export function list(parent, { key, make, fill }) {
  const known = new Map();
  return (items) => {
    const wanted = new Set(items.map(key));
    for (const [name, child] of known) {
      if (!wanted.has(name)) {
        child.remove();
        known.delete(name);
      }
    }
    items.forEach((item, index) => {
      const name = key(item);
      const child = known.get(name) ?? make(item);
      known.set(name, child);
      if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
      fill(child, item);
    });
  };
}

/** A table body: columns are {className, draw(cell, item)}; the first is the row's header. */
export function rows(body, key, columns) {
  return list(body, {
    key,
    make: () => {
      const row = element("tr");
      columns.forEach((column, index) => {
        const cell = element(index ? "td" : "th", column.className ?? "");
        if (!index) cell.scope = "row";
        row.append(cell);
      });
      return row;
    },
    fill: (row, item) => columns.forEach((column, index) => column.draw(row.cells[index], item)),
  });
}

export function text(className, read) {
  return { className, draw: (cell, item) => say(cell, read(item)) };
}
