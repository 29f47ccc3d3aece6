/** Small helpers for the document. Words are only ever set as text. */

export const byId = (id) => document.getElementById(id);

/** A new element: its properties, and its children (elements or words). `data-*`, `aria-*` and `for` are attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "for" || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A label and its field. */
export function field(words, input) {
  return make("div", { className: "field" }, make("label", { for: input.id }, words), input);
}

/** Says something to those who listen to the page. */
export function announce(words) {
  const place = byId("status");
  if (place.textContent !== words) place.textContent = words;
}

/** "1 image", "4 images". */
export const counted = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
