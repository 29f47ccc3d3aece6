/** Between what an image says of itself and what a form holds. */

const DRAWN = ["generate", "edit"];

/** The fields of the form that an image was made with. samplers: name -> its settings, as the server tells them. */
export function recalled(made, samplers) {
  const sampling = DRAWN.includes(made.made?.command ?? "generate") ? made.sampling ?? {} : {};
  const { scale, negative } = guidance(sampling.guidance);
  return {
    prompt: text(made.prompt) || text(made.made?.options?.to),
    negative_prompt: text(made.negative_prompt) || negative,
    seed: number(made.seed),
    num_inference_steps: number(sampling.steps),
    guidance_scale: scale,
    sampler: samplerName(sampling.sampler, samplers) ?? "",
  };
}

/** [name, value] of what is worth knowing of an image. */
export function facts(item, samplers) {
  const { made } = item, { scale, negative } = guidance(made?.sampling?.guidance);
  const sampler = made?.sampling?.sampler;
  return [
    ["Seed", item.seed],
    ["Size", item.width ? `${item.width} × ${item.height}` : ""],
    ["Steps", number(made?.sampling?.steps)],
    ["Guidance", scale],
    ["Sampler", samplerName(sampler, samplers) ?? text(sampler?.kind)],
    ["Negative prompt", text(made?.negative_prompt) || negative],
    ["Model", item.model || text(made?.model)],
  ].filter(([, value]) => value !== "" && value !== undefined && value !== null);
}

/** The name by which a sampler with these settings is asked for, or undefined. */
function samplerName(settings, samplers) {
  if (typeof settings === "string") return settings in samplers ? settings : undefined;
  const wanted = sorted(settings);
  return Object.keys(samplers).find((name) => sorted(samplers[name]) === wanted);
}

/** A guidance may be a scale, or settings that hold others. */
function guidance(settings) {
  if (typeof settings === "number") return { scale: settings, negative: "" };
  const inner = settings?.of ? guidance(settings.of) : { scale: number(settings?.scale), negative: "" };
  return settings?.kind === "NegativePrompt" ? { ...inner, negative: text(settings.prompt) } : inner;
}

const sorted = (object) => JSON.stringify(Object.entries(object ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : "");
