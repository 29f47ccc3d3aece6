/** The tab that shows runs while they train. */
import * as api from "./api.js";
import { announce, byId, make } from "./dom.js";
import { authorization } from "./key.js";
import { Previews } from "./previews.js";
import { card, stageName } from "./stages.js";

const SOON = 5000, LATER = 10000;

export class Runs {
  /** choose(name): opens the run of this name. */
  constructor(choose) {
    Object.assign(this, { open: false, name: "", names: [], shown: {}, turn: 0, timer: 0 });
    this.previews = new Previews((error) => this.complain(error));
    byId("run").addEventListener("change", () => choose(byId("run").value));
    document.addEventListener("visibilitychange", () => this.refresh());
  }

  /** The tab is open, at the run of this name (""): the one that was added last. */
  show(name) {
    this.open = true;
    this.wish = name || this.name;
    this.refresh();
  }

  hide() {
    this.open = false;
    this.refresh();
  }

  /** Reads and shows what is known now, and does so again after a while; not while nobody can see it. */
  async refresh() {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    if (!this.open || document.hidden) return;
    let wait = SOON;
    try {
      const names = await api.runs();
      if (turn !== this.turn) return;
      this.offer(names);
      if (!this.name) return this.say("This server watches no run. Start it with --watch RUN to see one here.");
      const run = await api.run(this.name);
      if (turn !== this.turn) return;
      byId("run-notes").replaceChildren();
      this.draw(run);
      await this.previews.show(run.name, run.images);
      if (run.stages.every(({ state }) => state === "finished")) wait = LATER;
    } catch (error) {
      if (turn === this.turn) this.complain(error);
      if (error instanceof api.KeyMissing) return; // it is not asked for again and again
    }
    if (turn === this.turn) this.timer = setTimeout(() => this.refresh(), wait);
  }

  /** The runs to choose from. */
  offer(names) {
    const select = byId("run");
    if (String(names) !== String(this.names)) select.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    this.names = names;
    const name = names.includes(this.wish) ? this.wish : names.at(-1) ?? "";
    if (name !== this.name) this.clear();
    select.value = this.name = this.wish = name;
    byId("run-choice").hidden = names.length < 2;
  }

  clear() {
    this.shown = {};
    this.say("Reading the run…");
    byId("stages").replaceChildren();
    byId("reports").hidden = byId("previews").hidden = true;
  }

  draw(run) {
    this.say([this.names.length < 2 ? run.name : "", run.data && `Data: ${run.data}`].filter(Boolean).join(" · "));
    if (this.changed("stages", run)) {
      byId("stages").replaceChildren(...run.stages.map(card));
      this.tell(run.stages);
    }
    if (this.changed("reports", run)) {
      byId("report-links").replaceChildren(...run.reports.map((split) => make("li", {}, this.report(run.name, split))));
      byId("reports").hidden = !run.reports.length;
    }
  }

  /** Whether a part is not what it was when it was last drawn. */
  changed(part, run) {
    const now = JSON.stringify(run[part]), other = now !== this.shown[part];
    this.shown[part] = now;
    return other;
  }

  /** Tells those who listen which stages have gone on. */
  tell(stages) {
    const before = this.shown.states;
    this.shown.states = Object.fromEntries(stages.map(({ name, state }) => [name, state]));
    const gone = before ? stages.filter(({ name, state }) => before[name] !== state) : [];
    if (gone.length) announce(gone.map(({ name, state }) => `${stageName(name)}: ${state}`).join(", "));
  }

  /** Opens a report; where a key is needed, which a link cannot carry, saves it. */
  report(run, split) {
    const link = make("a", { className: "button", href: api.pathOf(run, "reports", split), target: "_blank", rel: "noopener" }, split);
    link.addEventListener("click", async (event) => {
      if (!authorization().Authorization) return;
      event.preventDefault();
      try {
        const address = URL.createObjectURL(await api.file(run, "reports", split));
        make("a", { href: address, download: `${run}-${split}-report.html` }).click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
        announce("The report has been saved");
      } catch (error) {
        this.complain(error);
      }
    });
    return link;
  }

  say(words) {
    byId("run-told").textContent = words;
  }

  complain(error) {
    if (!byId("stages").childElementCount) this.say("");
    const words = error instanceof api.Refused ? error.message : "The run cannot be shown: its answer was cut off or damaged.";
    if (byId("run-notes").textContent.startsWith(words)) return;
    const again = make("button", { type: "button", className: "button small", onclick: () => this.refresh() }, "Try again");
    byId("run-notes").replaceChildren(make("div", { className: "note error" }, make("p", {}, words), make("div", { className: "row" }, again)));
  }
}
