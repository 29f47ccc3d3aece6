/** One image, large, with what can be done to it. */
import { byId, make } from "./dom.js";
import { fileName, isSmall } from "./items.js";
import * as panels from "./panels.js";
import { facts } from "./settings.js";

const ACTIONS = [["vary", "Vary"], ["edit", "Edit"], ["blend", "Blend"], ["diff", "Reword"]];

export class Detail {
  /**
   * items(): all of the gallery; samplers: as the server told; editable(): whether the model can do more than draw;
   * values(): of the form; limit(): images a request; start(request): asks; reuse(item): fills the form.
   */
  constructor(world) {
    this.world = world;
    this.dialog = byId("detail");
    byId("close").onclick = () => this.dialog.close();
    byId("previous").onclick = () => this.go(-1);
    byId("next").onclick = () => this.go(1);
    byId("film-at").oninput = (event) => this.show(this.film[Number(event.target.value)]);
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.left());
  }

  /** Opens an image; with: the action that begins at once. */
  open(item, begin = "") {
    this.show(item);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    if (begin) this.choose(begin);
    else byId("close").focus();
  }

  show(item) {
    this.item = item;
    this.leave();
    const large = byId("large");
    Object.assign(large, { src: item.url, alt: item.prompt || item.kind, className: isSmall(item) ? "pixels" : "" });
    byId("detail-kind").textContent = item.kind;
    byId("detail-prompt").textContent = item.prompt || "No prompt";
    byId("facts").replaceChildren(...facts(item, this.world.samplers()).flatMap(([name, value]) =>
      [make("dt", {}, name), make("dd", {}, String(value))]));
    this.buttons();
    this.reel();
    const items = this.world.items(), at = items.indexOf(item);
    byId("previous").disabled = at <= 0;
    byId("next").disabled = at >= items.length - 1;
  }

  buttons() {
    const button = (name, words) =>
      make("button", { type: "button", className: "button", "aria-expanded": "false", "data-action": name, onclick: () => this.choose(name) }, words);
    const doing = this.world.editable() ? ACTIONS.map(([name, words]) => button(name, words)) : [];
    const save = make("a", { className: "button", href: this.item.url, download: fileName(this.item) }, "Download");
    const reuse = make("button", { type: "button", className: "button", onclick: () => this.reuse() }, "Reuse settings");
    const rows = [doing, this.item.made || this.item.words ? [save, reuse] : [save]].filter((row) => row.length);
    byId("actions").replaceChildren(...rows.map((row) => make("div", { className: row.includes(save) ? "row keep" : "row" }, ...row)));
  }

  /** The slider of a blend's or a text diff's frames. */
  reel() {
    const frames = this.item.batch.request.frames ? this.item.batch.items.filter(Boolean) : [];
    this.film = frames;
    byId("film").hidden = frames.length < 2;
    const at = frames.indexOf(this.item), slider = byId("film-at");
    slider.max = Math.max(0, frames.length - 1);
    slider.value = Math.max(0, at);
    byId("film-told").textContent = `${at + 1} of ${frames.length}`;
  }

  /** Opens the panel of an action, or closes it. */
  choose(name) {
    const again = this.chosen === name;
    this.leave();
    if (again) return;
    this.chosen = name;
    const { values, limit, items: others } = this.world;
    const start = (request) => {
      this.dialog.close();
      this.world.start(request);
    };
    this.panel = panels[name](this.item, { values, limit: limit(), start, others, frame: byId("frame") });
    byId("panel").replaceChildren(this.panel.element);
    this.mark();
    this.panel.element.querySelector("input, button")?.focus({ preventScroll: name === "edit" });
  }

  leave() {
    this.panel?.remove();
    this.panel = null;
    this.chosen = "";
    byId("panel").replaceChildren();
    this.mark();
  }

  mark() {
    this.dialog.classList.toggle("doing", this.chosen !== "");
    for (const button of byId("actions").querySelectorAll("[data-action]")) {
      button.setAttribute("aria-expanded", String(button.dataset.action === this.chosen));
    }
  }

  reuse() {
    this.dialog.close();
    this.world.reuse(this.item);
  }

  go(way) {
    const items = this.world.items(), next = items[items.indexOf(this.item) + way];
    if (next) this.show(next);
  }

  key(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.target.closest("input, textarea, canvas") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.go(way);
  }

  left() {
    this.leave();
    this.item?.tile.focus({ preventScroll: true });
  }
}
