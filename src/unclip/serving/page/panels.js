/** What one is asked for before an image is varied, edited, blended or changed. Each returns {element, remove}. */
import { field, make } from "./dom.js";
import { isSmall } from "./items.js";
import { Mask } from "./mask.js";
import * as requests from "./requests.js";

/** Variations: how many. */
export function vary(item, { values, limit, start }) {
  const count = number("vary-n", Math.min(4, limit), 1, limit);
  const ask = () => start(requests.variation(item, values(), count.valueAsNumber || 1));
  return panel("What CLIP sees of the image stays; the rest is drawn anew.", [], field("Variations", count), "Vary", ask);
}

/** Editing: a mask, and what is to be in its place. */
export function edit(item, { values, limit, start, frame }) {
  const mask = new Mask(frame, item, () => refresh());
  const prompt = make("input", { id: "edit-prompt", type: "text", value: item.words || "" });
  const count = number("edit-n", Math.min(2, limit), 1, limit);
  const ask = async () => start(requests.edit(item, values(), await mask.file(), prompt.value.trim(), count.valueAsNumber || 1));
  const fields = [tools(mask), field("What the whole image shows then", prompt)];
  const made = panel("Paint over what is to be drawn anew.", fields, field("Images", count), "Repaint", ask);
  const button = made.element.querySelector("[type=submit]"), refresh = () => (button.disabled = mask.empty);
  refresh();
  return { ...made, remove: () => mask.remove() };
}

function tools(mask) {
  const brush = make("input", {
    id: "brush", type: "range", min: 3, max: 60, value: mask.brush * 100, oninput: () => (mask.brush = brush.value / 100),
  });
  const modes = [["Paint", false], ["Erase", true]].map(([name, erases]) =>
    make("button", { type: "button", className: "button quiet small", "aria-pressed": String(!erases), onclick: () => choose(erases) }, name));
  const choose = (erases) => {
    mask.erases = erases;
    modes.forEach((button, place) => button.setAttribute("aria-pressed", String(erases === (place === 1))));
  };
  const clear = make("button", { type: "button", className: "button quiet small", onclick: () => mask.clear() }, "Clear");
  return make("div", { className: "tools" }, field("Brush", brush), make("div", { className: "row" }, ...modes, clear));
}

/** Blending: with which of the others, in how many frames. */
export function blend(item, { values, limit, start, others }) {
  const rest = others().filter((other) => other !== item);
  if (!rest.length) return panel("A blend needs a second image: draw one more, or open one.", []);
  let chosen = rest[0];
  const options = rest.map((other, place) => {
    const radio = make("input", { type: "radio", name: "blend-with", checked: place === 0, onchange: () => (chosen = other) });
    const image = make("img", { src: other.url, alt: other.prompt || "No prompt", className: isSmall(other) ? "pixels" : "" });
    return make("label", { className: "pick" }, radio, image);
  });
  const picks = make("fieldset", { className: "picks" }, make("legend", {}, "Blend with"), ...options);
  const count = number("blend-n", Math.min(8, limit), 2, limit);
  const ask = () => start(requests.blend(item, chosen, values(), count.valueAsNumber || 2));
  return panel("Images on the way from this one to another.", [picks], field("Frames", count), "Blend", ask);
}

/** A text diff: from which words to which, in how many frames. */
export function diff(item, { values, limit, start }) {
  const before = make("input", { id: "diff-from", type: "text", value: item.words || "" });
  const after = make("input", { id: "diff-to", type: "text", required: true, placeholder: "What it is to show" });
  const count = number("diff-n", Math.min(6, limit), 2, limit);
  const ask = () => start(requests.diff(item, values(), before.value.trim(), after.value.trim(), count.valueAsNumber || 2));
  const fields = [field("From", before), field("To", after)];
  return panel("The image goes the way that leads from one caption to another.", fields, field("Frames", count), "Reword", ask);
}

function number(id, value, min, max) {
  return make("input", { id, type: "number", min, max, value, inputMode: "numeric", required: true });
}

/** count: the field beside the button; without one there is nothing to ask for. */
function panel(hint, fields, count = null, name = "", ask = () => {}) {
  const submit = (event) => {
    event.preventDefault();
    ask();
  };
  const button = make("button", { type: "submit", className: "button main" }, name);
  const send = count ? make("div", { className: "send" }, count, button) : null;
  const element = make("form", { className: "panel", onsubmit: submit }, make("p", { className: "hint" }, hint), ...fields, send);
  return { element, remove: () => {} };
}
