/** The page: ties the form, the gallery and the server together. */
import * as api from "./api.js";
import { Detail } from "./detail.js";
import { announce, byId, make } from "./dom.js";
import { watch } from "./drop.js";
import * as form from "./form.js";
import { Gallery } from "./gallery.js";
import { fromFile } from "./items.js";
import { generation } from "./requests.js";
import { Runs } from "./runs.js";
import { recalled } from "./settings.js";
import { Tabs } from "./tabs.js";

const AGAIN = 1500;
const WIDE = "(min-width: 860px)";

let about = { models: [], samplers: [], sampler_settings: {}, limits: { n: 10, prompt: 1000 } };
const model = () => about.models.find(({ name }) => name === byId("model").value) ?? about.models[0] ?? {};
const samplers = () => about.sampler_settings ?? {};

const gallery = new Gallery((item) => detail.open(item));
const detail = new Detail({
  items: () => gallery.items,
  samplers,
  editable: () => model().edits !== false,
  values: form.read,
  limit: () => about.limits.n,
  start,
  reuse,
});

const runs = new Runs((name) => tabs.go("runs", name));
const tabs = new Tabs(["create", "runs"], (chosen, rest) => {
  byId("open").hidden = byId("which").hidden = chosen !== "create";
  if (chosen === "runs") runs.show(rest);
  else runs.hide();
});

/** Asks for images and shows them as they come. */
async function start(request) {
  const asking = new AbortController();
  const batch = gallery.begin(request, () => asking.abort());
  form.hush();
  try {
    await api.stream(request, asking.signal, batch);
    await gallery.finish(batch);
    if (!model().size) learn(); // it has been read now
  } catch (error) {
    await gallery.drop(batch);
    if (error.name === "AbortError") announce("Cancelled");
    else form.complain(error instanceof api.Refused ? error : new Error("The connection broke before the images were done."));
  }
}

function reuse(item) {
  const known = item.made ? recalled(item.made, samplers()) : {};
  form.fill({ ...known, prompt: known.prompt || item.words || "" });
  byId("prompt").focus();
}

/** An image of a person's own: its settings, where it has some, and itself. */
async function open(files) {
  tabs.go("create");
  for (const file of files) {
    try {
      const item = await fromFile(file);
      gallery.add(item);
      if (item.made) form.fill(recalled(item.made, samplers()));
      const told = item.made ? `These are the settings of “${file.name}”.` : `“${file.name}” holds no settings of unclip’s.`;
      const offered = [["Vary it", () => detail.open(item, "vary")], ["Edit it", () => detail.open(item, "edit")]];
      form.say("note", told, model().edits === false ? [] : offered);
    } catch (error) {
      form.complain(error);
    }
  }
}

function generate() {
  start(generation(form.read()));
}

/** Examples to begin with; one click draws one. */
function invite() {
  const captions = model().examples ?? [];
  byId("examples").replaceChildren(...captions.map((caption) => {
    const act = () => {
      form.fill({ prompt: caption });
      generate();
    };
    return make("li", {}, make("button", { type: "button", className: "example", onclick: act }, caption));
  }));
  byId("invitation").textContent = captions.length
    ? "Write what the image shows, or try one of the captions that the model has learned from:"
    : "Write what the image shows, and press Enter. Images appear here while they come out of the noise.";
}

/** Learns what the server has; again while its first model is still being read. */
async function learn() {
  try {
    about = await api.about();
  } catch (error) {
    return form.complain(error);
  }
  form.prepare(about);
  suit();
  if (about.models[0] && !about.models[0].size) setTimeout(learn, AGAIN);
}

function suit() {
  form.suit(model());
  byId("which").textContent = about.models.length === 1 ? model().name : "";
  invite();
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  generate();
});
byId("form").addEventListener("keydown", (event) => {
  const text = event.target.tagName === "TEXTAREA";
  if (event.key !== "Enter" || event.isComposing || event.repeat || !(text || event.ctrlKey || event.metaKey)) return;
  if (event.shiftKey) return;
  event.preventDefault();
  generate();
});
byId("model").addEventListener("change", suit);
byId("more").open = window.matchMedia(WIDE).matches;
watch(open);
tabs.read();
learn();
