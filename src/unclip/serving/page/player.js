/** A slider that goes through the frames of a blend or a text diff. */
import { make } from "./dom.js";
import { isSmall } from "./items.js";

export class Player {
  /** open(item): shows one in detail. */
  constructor(items, open) {
    this.items = items;
    this.image = make("img", { alt: items[0].prompt, className: isSmall(items[0]) ? "pixels" : "" });
    this.slider = make("input", { type: "range", min: 0, max: items.length - 1, value: 0, "aria-label": "Frame", oninput: () => this.show() });
    this.told = make("output");
    const large = make("button", { type: "button", className: "tile", "aria-label": "Open this frame", onclick: () => open(this.now) }, this.image);
    this.element = make("div", { className: "player" }, large, make("div", { className: "film" }, this.slider, this.told));
    this.show();
  }

  get now() {
    return this.items[Number(this.slider.value)];
  }

  show() {
    this.image.src = this.now.url;
    this.told.textContent = `${Number(this.slider.value) + 1} of ${this.items.length}`;
    this.slider.setAttribute("aria-valuetext", `Frame ${this.told.textContent}`);
  }
}
