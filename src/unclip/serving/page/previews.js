/** The preview sheets of a run over time: one large, a slider through all. */
import * as api from "./api.js";
import { byId } from "./dom.js";
import { stageName } from "./stages.js";

export class Previews {
  /** complain(error): what is done where a sheet cannot be read. */
  constructor(complain) {
    Object.assign(this, { complain, run: "", files: [], wanted: "", read: new Map() });
    byId("sheet-at").addEventListener("input", () => this.look());
  }

  /** Shows those of a run. Who looks at the newest goes on to see the newest. */
  async show(run, files) {
    const grown = this.files.every((file, at) => file === files[at]); // else it was trained anew
    if (run !== this.run || !grown) this.forget(run);
    const slider = byId("sheet-at"), before = this.files[Number(slider.value)];
    const newest = !before || before === this.files.at(-1);
    this.files = files;
    slider.max = Math.max(0, files.length - 1);
    slider.value = !newest && files.includes(before) ? files.indexOf(before) : slider.max;
    byId("previews").hidden = !files.length;
    byId("sheets").hidden = files.length < 2;
    if (files.length) await this.look();
  }

  forget(run) {
    for (const address of this.read.values()) URL.revokeObjectURL(address);
    Object.assign(this, { run, files: [], wanted: "" });
    this.read.clear();
    byId("sheet").removeAttribute("src");
  }

  async look() {
    const { run } = this, slider = byId("sheet-at"), at = Number(slider.value), file = this.files[at];
    const words = told(file);
    byId("sheet-told").textContent = at === this.files.length - 1 ? `${words}, the newest` : words;
    byId("sheet-count").textContent = `${at + 1} of ${this.files.length}`;
    slider.setAttribute("aria-valuetext", `${words}, ${byId("sheet-count").textContent}`);
    this.wanted = file;
    try {
      if (!this.read.has(file)) {
        const blob = await api.file(run, "images", file);
        if (this.run !== run) return;
        if (!this.read.has(file)) this.read.set(file, URL.createObjectURL(blob));
      }
    } catch (error) {
      if (this.run === run && this.wanted === file) this.complain(error);
      return;
    }
    const image = byId("sheet"), address = this.read.get(file);
    if (this.wanted !== file || image.src === address) return;
    image.alt = `Preview sheet: ${words}`;
    image.src = address;
  }
}

/** A file's name in words: "decoder-004972.png" is "Decoder, step 4,972". */
function told(file) {
  const [, stage, step] = /^(.+)-(\d+)\.png$/.exec(file) ?? [];
  if (stage) return `${stageName(stage)}, step ${Number(step).toLocaleString("en")}`;
  return file === "data.png" ? "The training data" : file.replace(/\.png$/, "");
}
