/** All batches of this sitting, the newest first, and how one moves among their images. */
import { Batch } from "./batch.js";
import { byId } from "./dom.js";

const ACROSS = { ArrowLeft: -1, ArrowRight: 1 };
const DOWN = { ArrowUp: -1, ArrowDown: 1 };

export class Gallery {
  /** open(item): shows one in detail. */
  constructor(open) {
    this.open = open;
    this.batches = [];
    this.root = byId("batches");
    this.root.addEventListener("keydown", (event) => this.move(event));
    this.root.addEventListener("focusin", (event) => this.mark(event.target.closest(".grid .tile")));
  }

  /** Every finished image, in the order in which they are seen. */
  get items() {
    return this.batches.flatMap((batch) => batch.items.filter(Boolean));
  }

  /** A place for what was asked for. */
  begin(request, cancel) {
    const batch = new Batch(request, { open: this.open, cancel });
    this.batches.unshift(batch);
    this.root.prepend(batch.element);
    byId("empty").hidden = true;
    batch.element.scrollIntoView({ block: "nearest" });
    return batch;
  }

  /** A person's own image, as a batch of one. */
  add(item) {
    const batch = this.begin({ ...item, count: 1 }, () => {});
    batch.put(item, 0);
    this.finish(batch);
  }

  /** It is done: its first image can be reached by Tab. */
  async finish(batch) {
    await batch.end();
    this.mark(batch.items.find(Boolean)?.tile);
  }

  /** What came to nothing goes away; what is there of it stays. */
  async drop(batch) {
    await Promise.all(batch.pending);
    batch.items = batch.items.filter(Boolean);
    if (batch.items.length) {
      batch.tiles.filter((tile) => tile.disabled).forEach((tile) => tile.remove());
      return this.finish(batch);
    }
    batch.element.remove();
    this.batches = this.batches.filter((other) => other !== batch);
    byId("empty").hidden = this.batches.length > 0;
  }

  /** Only one tile is in the order of Tab; the arrows go to the others. */
  mark(tile) {
    if (!tile) return;
    for (const item of this.items) item.tile.tabIndex = item.tile === tile ? 0 : -1;
  }

  move(event) {
    const items = this.items, at = items.findIndex((item) => item.tile === event.target);
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = event.key in ACROSS ? items[at + ACROSS[event.key]] : event.key in DOWN ? beyond(items, at, DOWN[event.key]) : null;
    if (!(event.key in ACROSS || event.key in DOWN)) return;
    event.preventDefault();
    next?.tile.focus();
  }
}

/** The nearest image in the row above (-1) or below (1). */
function beyond(items, at, way) {
  const middle = ({ tile }) => {
    const box = tile.getBoundingClientRect();
    return [box.left + box.width / 2, box.top];
  };
  const [x, y] = middle(items[at]);
  const far = items.map((item) => ({ item, at: middle(item) })).filter(({ at: [, top] }) => way * (top - y) > 4);
  const row = Math.min(...far.map(({ at: [, top] }) => Math.abs(top - y)));
  const near = far.filter(({ at: [, top] }) => Math.abs(Math.abs(top - y) - row) < 4);
  return near.sort((a, b) => Math.abs(a.at[0] - x) - Math.abs(b.at[0] - x))[0]?.item;
}
