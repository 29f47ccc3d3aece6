/** The stages of a run, each as a card. */
import { curve } from "./curve.js";
import { make } from "./dom.js";

const STATES = { waiting: "Waiting", training: "Training", finished: "Finished" };

export const stageName = (name) => (name === "clip" ? "CLIP" : name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " "));

/** The card of a stage. */
export function card(stage) {
  const name = stageName(stage.name);
  const state = make("span", { className: `state ${stage.state in STATES ? stage.state : ""}` }, STATES[stage.state] ?? stage.state);
  return make(
    "article", { className: "stage", "aria-label": name },
    make("header", {}, make("h2", {}, name), state),
    facts(stage),
    stage.curve.length ? curve(stage.curve, name) : make("p", { className: "hint" }, "No losses yet."),
    verdict(stage),
  );
}

function facts({ steps, images_per_s: speed }) {
  if (!steps) return null;
  const words = [`${steps.toLocaleString("en")} ${steps === 1 ? "step" : "steps"}`];
  if (speed) words.push(`${speed.toLocaleString("en", { maximumSignificantDigits: 3 })} images/s`);
  return make("p", { className: "settings" }, words.join(" · "));
}

function verdict({ passed, why }) {
  const told = typeof passed === "boolean";
  if (!told && !why) return null;
  const words = told ? make("strong", {}, passed ? "Gate passed" : "Gate failed") : null;
  return make("p", { className: `verdict ${passed === false ? "failed" : ""}` }, words, why && told ? ": " : null, why);
}
