/** The tabs at the top. The address keeps which one is open: `#runs`, or `#runs/NAME`. */
import { byId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

export class Tabs {
  /** chosen(name, rest): tells which tab is open now, and what stands behind its name. */
  constructor(names, chosen) {
    Object.assign(this, { names, chosen });
    for (const name of names) byId(`tab-${name}`).addEventListener("click", () => this.go(name));
    byId("tabs").addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const last = names.length - 1, at = names.indexOf(this.now);
      const next = Number.isFinite(step) ? (at + step + names.length) % names.length : step < 0 ? 0 : last;
      this.go(names[next]);
      byId(`tab-${names[next]}`).focus();
    });
    window.addEventListener("hashchange", () => this.read());
  }

  /** Opens a tab. Within one, the address changes without another step back. */
  go(name, rest = "") {
    if (name === this.now && (!rest || rest === this.rest)) return;
    const address = `#${name}${rest ? `/${encodeURIComponent(rest)}` : ""}`;
    if (name === this.now) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.read();
  }

  /** Opens the tab that the address names. */
  read() {
    const [name, rest] = location.hash.slice(1).split("/");
    this.now = this.names.includes(name) ? name : this.names[0];
    this.rest = decoded(rest ?? "");
    for (const each of this.names) {
      const open = each === this.now, tab = byId(`tab-${each}`);
      byId(`panel-${each}`).hidden = !open;
      tab.setAttribute("aria-selected", open);
      tab.tabIndex = open ? 0 : -1;
    }
    this.chosen(this.now, this.rest);
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
