/** A canvas over an image, on which one paints what is to be drawn anew. */
import { make } from "./dom.js";

const FINE = 512;
const STEP = 0.03;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Mask {
  /** frame: the element around the image; changed(): is called after each stroke. */
  constructor(frame, item, changed = () => {}) {
    Object.assign(this, { item, changed, erases: false, brush: 0.18, last: null, at: [0.5, 0.5] });
    this.scale = Math.max(1, Math.ceil(FINE / item.width));
    this.canvas = make("canvas", {
      className: "mask", width: item.width * this.scale, height: item.height * this.scale, tabIndex: 0, role: "img",
      "aria-label": "Mask: drag to paint; or move with the arrow keys and paint with the space bar",
    });
    this.ring = make("div", { className: "ring", hidden: true });
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.listen();
    frame.append(this.canvas, this.ring);
    this.colour = getComputedStyle(this.canvas).color;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.follow(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.lift());
    canvas.addEventListener("pointerleave", () => (this.ring.hidden = true));
    canvas.addEventListener("keydown", (event) => this.type(event));
    canvas.addEventListener("blur", () => (this.ring.hidden = true));
  }

  begin(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.where(event);
    this.stroke(this.last);
  }

  follow(event) {
    this.aim(this.where(event));
    if (this.last) this.stroke(this.at);
  }

  lift() {
    if (this.last) this.changed();
    this.last = null;
  }

  type(event) {
    const way = ARROWS[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (way) this.aim(this.at.map((value, axis) => Math.min(1, Math.max(0, value + STEP * way[axis]))));
    else {
      this.aim(this.at);
      this.last = this.at;
      this.stroke(this.at);
      this.lift();
    }
  }

  /** Where a pointer is, in shares of the image. */
  where(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  aim(at) {
    this.at = at;
    const { ring } = this;
    ring.hidden = false;
    ring.style.left = `${at[0] * 100}%`;
    ring.style.top = `${at[1] * 100}%`;
    ring.style.width = `${this.brush * 100}%`;
  }

  stroke(to) {
    const { pen, canvas } = this;
    pen.globalCompositeOperation = this.erases ? "destination-out" : "source-over";
    Object.assign(pen, { strokeStyle: this.colour, fillStyle: this.colour, lineCap: "round", lineJoin: "round", lineWidth: this.brush * canvas.width });
    const [x, y] = [to[0] * canvas.width, to[1] * canvas.height];
    pen.beginPath();
    pen.moveTo(this.last[0] * canvas.width, this.last[1] * canvas.height);
    pen.lineTo(x, y);
    pen.stroke();
    pen.beginPath(); // a line of no length draws nothing
    pen.arc(x, y, pen.lineWidth / 2, 0, 2 * Math.PI);
    pen.fill();
    this.last = to;
  }

  clear() {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.changed();
  }

  /** The mask at the image's own size: alpha of each pixel, 0 to 255, as it was painted. */
  painted() {
    const { width, height } = this.item;
    const small = make("canvas", { width, height }).getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(this.canvas, 0, 0, width, height);
    return small.getImageData(0, 0, width, height);
  }

  get empty() {
    return this.painted().data.every((value, place) => place % 4 !== 3 || value < 128);
  }

  /** As the server takes it: a PNG that is transparent where it is to be painted. */
  async file() {
    const found = this.painted(), canvas = make("canvas", { width: found.width, height: found.height });
    for (let place = 0; place < found.data.length; place += 4) {
      found.data.set([0, 0, 0, found.data[place + 3] < 128 ? 255 : 0], place);
    }
    canvas.getContext("2d").putImageData(found, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  remove() {
    this.canvas.remove();
    this.ring.remove();
  }
}
