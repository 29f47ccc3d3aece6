/** Server-sent events of a fetched answer. */

/** Yields {comment} for a comment, {name, data} for an event, in the order in which they come. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop();
    yield* blocks.map(parsed).filter(Boolean);
    if (done) return;
  }
}

function parsed(block) {
  const event = { name: "message", data: "" };
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith(":")) return { comment: line.slice(1).trim() };
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === "event") event.name = value;
    if (name === "data") event.data += value;
  }
  return event.data ? { name: event.name, data: JSON.parse(event.data) } : null;
}
