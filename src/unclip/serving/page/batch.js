/** The images of one request in the gallery, from the noise to the end. */
import { announce, counted, make } from "./dom.js";
import { fromAnswer, isSmall } from "./items.js";
import { Player } from "./player.js";

const PREVIEWS = 3;

export class Batch {
  /** open(item): shows one; cancel(): gives the request up. */
  constructor(request, { open, cancel }) {
    this.request = request;
    this.open = open;
    this.items = [];
    this.pending = [];
    this.began = null;
    this.tiles = Array.from({ length: request.count }, () => tile(request.prompt));
    this.status = make("p", { className: "progress-told" }, "Asking the server …");
    this.bar = make("progress", { max: 1, value: 0, "aria-label": `Progress: ${request.prompt}` });
    this.cancel = make("button", { type: "button", className: "button quiet small", onclick: cancel }, "Cancel");
    this.busy = make("div", { className: "busy" }, this.status, this.bar, this.cancel);
    this.told = make("p", { className: "settings" });
    this.notes = make("div", { className: "warnings" });
    this.grid = make("div", { className: "grid" }, ...this.tiles);
    this.element = make("article", { className: "batch", "aria-busy": "true" }, this.head(), this.notes, this.busy, this.grid);
  }

  head() {
    const kind = make("p", { className: "kind" }, this.request.kind);
    return make("header", {}, kind, make("h2", {}, this.request.prompt || "No prompt"), this.told);
  }

  /** The place in the queue (0: it is being drawn), and seconds until the end. */
  place(number, seconds) {
    if (number > 0) {
      this.say(`Number ${number} in the queue, about ${Math.ceil(seconds)} s`);
      return announce(`Number ${number} in the queue`);
    }
    this.began ??= { at: performance.now(), seconds };
    const left = Math.round(this.began.seconds - (performance.now() - this.began.at) / 1000);
    const late = left < -Math.max(2, this.began.seconds);
    this.say(left >= 1 ? `Drawing, about ${left} s left` : late ? "Drawing, longer than thought" : "Drawing, almost done");
    announce("Drawing");
  }

  /** An image as it looks so far. */
  partial(data) {
    const tile = this.tiles[data.image_index ?? 0];
    if (!tile) return;
    show(tile, `data:image/${data.output_format};base64,${data.b64_json}`, Number.parseInt(data.size, 10));
    this.bar.value = (data.partial_image_index + 1) / (PREVIEWS + 1);
    if (this.began === null) this.say("Drawing …");
  }

  /** An image that is done. */
  finished(data) {
    this.facts = data;
    this.pending.push(fromAnswer(data, this.request).then((item) => this.put(item, data.image_index ?? 0)));
  }

  put(item, place) {
    const tile = this.tiles[place];
    this.items[place] = Object.assign(item, { batch: this, tile });
    show(tile, item.url, item.width);
    tile.disabled = false;
    tile.removeAttribute("aria-label");
    tile.classList.remove("waiting");
    tile.onclick = () => this.open(item);
    tile.append(make("span", { className: "seed" }, item.seed === undefined ? "" : `seed ${item.seed}`));
  }

  /** All is there. */
  async end() {
    await Promise.all(this.pending);
    this.busy.remove();
    this.element.removeAttribute("aria-busy");
    this.told.textContent = this.line();
    for (const words of new Set(this.facts?.warnings ?? [])) {
      this.notes.append(make("p", { className: "note warning" }, `${words[0].toUpperCase()}${words.slice(1)}.`));
    }
    if (this.request.frames && this.items.length > 1) {
      this.element.insertBefore(new Player(this.items, this.open).element, this.grid);
      this.grid.classList.add("strip");
    }
    announce([`${counted(this.items.length, "image")} done.`, ...(this.facts?.warnings ?? [])].join(" "));
  }

  /** Seed and settings, in a line. */
  line() {
    const sampling = this.items[0]?.made?.sampling, seeds = [...new Set(this.items.map((item) => item.seed))];
    const seed = seeds.length > 1 ? `seeds ${seeds[0]}–${seeds.at(-1)}` : `seed ${seeds[0]}`;
    const parts = [seeds[0] === undefined ? "" : seed, sampling?.steps ? `${sampling.steps} steps` : "", this.facts?.size?.replace("x", " × ")];
    return parts.filter(Boolean).join(" · ");
  }

  say(words) {
    this.status.textContent = words;
  }
}

function tile(prompt) {
  const image = make("img", { alt: prompt, hidden: true, draggable: false });
  return make("button", { type: "button", className: "tile waiting", disabled: true, tabIndex: -1, "aria-label": "Not drawn yet" }, image);
}

function show(tile, url, width) {
  const image = tile.querySelector("img");
  image.src = url;
  image.hidden = false;
  image.classList.toggle("pixels", isSmall({ width }));
}
