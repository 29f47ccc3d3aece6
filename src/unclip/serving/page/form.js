/** The form: what it holds, and what is told beside it. */
import { byId, make } from "./dom.js";

const WORDS = ["prompt", "negative_prompt", "size", "sampler", "model"];
const NUMBERS = ["n", "seed", "num_inference_steps", "guidance_scale"];
const TIMES = [1, 2, 4, 8];

/** Fills the choices from what the server told. */
export function prepare(about) {
  choices(byId("sampler"), [["", "the model’s"], ...about.samplers.map((name) => [name, name])]);
  choices(byId("model"), about.models.map(({ name }) => [name, name]));
  byId("models").hidden = about.models.length < 2;
  byId("n").max = about.limits.n;
  byId("prompt").maxLength = about.limits.prompt;
  byId("negative_prompt").maxLength = about.limits.prompt;
}

/** Shows the begin of a model: its size, steps and guidance are those that an empty field stands for. */
export function suit(model) {
  const kept = byId("size").value;
  const sizes = model.size ? TIMES.map((times) => model.size * times).filter((side) => side <= 1024) : [];
  const named = sizes.map((side, place) => [place ? `${side}x${side}` : "", `${side} × ${side}`]);
  choices(byId("size"), named.length ? named : [["", "as drawn"]]);
  if (named.some(([value]) => value === kept)) byId("size").value = kept;
  byId("num_inference_steps").placeholder = model.steps ?? "the model’s";
  byId("guidance_scale").placeholder = model.guidance ?? "the model’s";
}

/** What is filled in; empty fields are left out. */
export function read() {
  const found = WORDS.map((name) => [name, byId(name).value.trim()]);
  found.push(...NUMBERS.map((name) => [name, digits(byId(name).value.trim())]));
  return Object.fromEntries(found.filter(([name, value]) => value !== "" || name === "prompt"));
}

/** Fills in what is known; the settings that are not are the model's own again. */
export function fill(values) {
  for (const [name, value] of Object.entries(values)) {
    const input = byId(name);
    if (input) input.value = value ?? "";
  }
  if (NUMBERS.concat("sampler").some((name) => name !== "n" && values[name])) byId("more").open = true;
}

/** Says something beside the form. kind: error or note; actions: [words, what they do]. */
export function say(kind, words, actions = []) {
  const buttons = actions.map(([name, act]) =>
    make("button", { type: "button", className: "button quiet small", onclick: act }, name));
  const row = buttons.length ? make("div", { className: "row" }, ...buttons) : null;
  const told = make("div", { className: `note ${kind}`, role: kind === "error" ? "alert" : "status" }, make("p", {}, words), row);
  byId("notes").replaceChildren(told);
  told.scrollIntoView({ block: "nearest" });
}

/** What went wrong, and when it makes sense to ask again. */
export function complain(error) {
  const message = named(error).replace(/[.\s]*$/, ".");
  const again = error.wait ? ` Try again in ${error.wait} second${error.wait === 1 ? "" : "s"}.` : "";
  say("error", `${message[0].toUpperCase()}${message.slice(1)}${again}`);
}

/** Nothing is told any more, no field is wrong. */
export function hush() {
  byId("notes").replaceChildren();
  for (const input of byId("form").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** The message, its field marked and called as its label calls it: the server knows only the names of its own. */
function named({ message, param }) {
  const input = param ? byId("form").querySelector(`#${CSS.escape(param)}`) : null;
  if (!input) return message;
  input.setAttribute("aria-invalid", "true");
  return message.startsWith(param) ? input.labels[0].textContent + message.slice(param.length) : message;
}

const digits = (value) => (/^\d+(\.\d+)?$/.test(value) ? Number(value) : value);

function choices(select, pairs) {
  const kept = select.value;
  select.replaceChildren(...pairs.map(([value, words]) => make("option", { value }, words)));
  if (pairs.some(([value]) => value === kept)) select.value = kept;
}
