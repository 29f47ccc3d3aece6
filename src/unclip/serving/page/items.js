/** An image of this sitting: its file as the server sent it, and what is known of it. */
import { madeBy } from "./png.js";

/** An image from an answer's base64. */
export async function fromAnswer(data, request) {
  const bytes = Uint8Array.from(atob(data.b64_json), (letter) => letter.charCodeAt(0));
  const file = new Blob([bytes], { type: `image/${data.output_format ?? "png"}` });
  return item(file, bytes, { ...request, seed: data.seed, model: data.model });
}

/** An image from a person's own file. Raises an Error for one that cannot be read. */
export async function fromFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const made = madeBy(bytes);
  const prompt = typeof made?.prompt === "string" && made.prompt ? made.prompt : file.name;
  return item(file, bytes, { kind: "Opened", prompt, words: made?.prompt ?? "", seed: made?.seed });
}

async function item(file, bytes, { kind, prompt, words, seed, model }) {
  const { width, height } = await sides(file);
  return { file, url: URL.createObjectURL(file), made: madeBy(bytes), kind, prompt, words, seed, model, width, height };
}

async function sides(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name ? `“${file.name}”` : "The answer"} is not an image that can be read.`);
  });
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

/** A name to save it by. */
export function fileName(item) {
  const words = item.prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 50);
  const end = item.file.type === "image/jpeg" ? "jpg" : item.file.type.replace("image/", "") || "png";
  return `${["unclip", words, item.seed ?? ""].filter((part) => part !== "").join("-")}.${end}`;
}

/** Small images are shown pixel by pixel, large ones smoothly. */
export const isSmall = (image) => image.width <= 128;
