/** What the server is asked for: a path, the fields, and how a person would call it. */

const PREVIEWS = 3;

/** Images of a prompt. values: as the form has them. */
export function generation(values) {
  const fields = { ...values, stream: true, partial_images: PREVIEWS };
  const { prompt, n } = values;
  return { path: "v1/images/generations", fields, kind: "Generated", prompt, words: prompt, count: n ?? 1 };
}

/** Variations of an image. */
export function variation(item, values, n) {
  const fields = upload({ ...common(values), n }, item);
  return { path: "v1/images/variations", fields, kind: "Variation", prompt: item.prompt, words: item.words, count: n };
}

/** An image with a part painted anew. */
export function edit(item, values, mask, prompt, n) {
  const { num_inference_steps, guidance_scale } = values;
  const fields = upload({ ...common(values), num_inference_steps, guidance_scale, prompt, n }, item);
  fields.append("mask", mask, "mask.png");
  return { path: "v1/images/edits", fields, kind: "Edit", prompt: prompt || item.prompt, words: prompt, count: n };
}

/** Images on the way from one to another. */
export function blend(from, to, values, n) {
  const fields = upload({ ...common(values), n }, from, to);
  const prompt = from.prompt === to.prompt ? from.prompt : `${from.prompt} → ${to.prompt}`;
  return { path: "v1/images/blends", fields, kind: "Blend", prompt, words: "", count: n, frames: true };
}

/** Images on the way from what a caption says to what another does. */
export function diff(item, values, before, prompt, n) {
  const fields = upload({ ...common(values), before, prompt, n }, item);
  const told = before ? `${before} → ${prompt}` : prompt;
  return { path: "v1/images/diffs", fields, kind: "Reworded", prompt: told, words: prompt, count: n, frames: true };
}

/** Of the form, what all routes take. */
const common = ({ size, model }) => ({ size, model, stream: "true" });

function upload(fields, ...items) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.append(name, value);
  for (const item of items) form.append(items.length > 1 ? "image[]" : "image", item.file, "image.png");
  return form;
}
