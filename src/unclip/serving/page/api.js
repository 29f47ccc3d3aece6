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

/** What the server says of its models. */
export async function about() {
  const answer = await fetch("page/about.json", { cache: "no-store" }).catch(unreachable);
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

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

async function post(request, signal) {
  for (;;) {
    const answer = await fetch(request.path, { method: "POST", signal, ...body(request.fields) }).catch(unreachable);
    if (answer.ok) return answer;
    if (answer.status !== 401) throw await refusal(answer);
    if (!(await askForKey())) throw new Refused("This server needs an API key.");
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
