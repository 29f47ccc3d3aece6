/** Requests to the server that this page came from. */
import { events } from "./events.js";
import { askForKey, authorization } from "./key.js";

/** An answer that is an error. param: the field that it is about; wait: seconds until it makes sense to ask again. */
export class Refused extends Error {
  constructor(message, param = null, wait = null) {
    super(message);
    Object.assign(this, { param, wait });
  }
}

/** Nobody gave the key that the server asks for. */
export class KeyMissing extends Refused {}

/** What the server says of its models. */
export async function about() {
  const answer = await fetch("page/about.json", { cache: "no-store" }).catch(unreachable);
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

/** The names of the runs that can be watched. */
export const runs = async () => (await get("watch/runs")).json();

/** What is known of a run now. */
export const run = async (name) => (await get(pathOf(name))).json();

/** A file of a run, as a blob: its kind is "images" or "reports". */
export const file = async (name, kind, file) => (await get(pathOf(name, kind, file))).blob();

export const pathOf = (...parts) => ["watch/runs", ...parts.map(encodeURIComponent)].join("/");

/**
 * Asks for images, and tells what happens until they are there.
 * told: {place(number, seconds), partial(image, index, data), finished(image, data)}, any of them.
 */
export async function stream(request, signal, told) {
  const answer = await post(request, signal);
  for await (const event of events(answer)) {
    if (event.comment !== undefined) {
      const [, place, seconds] = /^queue (\d+) eta ([\d.]+)/.exec(event.comment) ?? [];
      if (place !== undefined) told.place(Number(place), Number(seconds));
    } else if (event.name === "error") {
      throw new Refused(event.data.error?.message ?? "The server made a mistake.", event.data.error?.param);
    } else if (event.name.endsWith(".partial_image")) {
      told.partial(event.data);
    } else if (event.name.endsWith(".completed")) {
      told.finished(event.data);
    }
  }
}

const post = (request, signal) => keyed(request.path, () => ({ method: "POST", signal, ...body(request.fields) }));
const get = (path) => keyed(path, () => ({ cache: "no-store", headers: authorization() }));

/** Asks with the key, for the key where it is missing. options() holds the key of the moment. */
async function keyed(path, options) {
  for (;;) {
    const answer = await fetch(path, options()).catch(unreachable);
    if (answer.ok) return answer;
    if (answer.status !== 401) throw await refusal(answer);
    if (!(await askForKey())) throw new KeyMissing("This server needs an API key.");
  }
}

function body(fields) {
  if (fields instanceof FormData) return { body: fields, headers: authorization() };
  return { body: JSON.stringify(fields), headers: { "Content-Type": "application/json", ...authorization() } };
}

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After")) || null;
  const said = await answer.json().catch(() => null);
  const message = said?.error?.message ?? `The server answered ${answer.status} ${answer.statusText}`.trim();
  return new Refused(message, said?.error?.param, wait);
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new Refused("The server cannot be reached. Is it still running?");
}
