/** Files that are dropped on the page, or chosen. */
import { byId } from "./dom.js";

/** take(file): is called with each. */
export function watch(take) {
  let inside = 0;
  const zone = byId("dropzone"), files = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    inside = Math.max(0, inside + change);
    zone.hidden = inside === 0;
  };
  window.addEventListener("dragenter", (event) => files(event) && show(1));
  window.addEventListener("dragleave", (event) => files(event) && show(-1));
  window.addEventListener("dragover", (event) => files(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    show(-inside);
    take([...event.dataTransfer.files]);
  });
  byId("opened").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = "";
  });
}
