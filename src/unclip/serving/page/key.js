/** The API key: asked for where the server wants one, kept for this tab. */
import { byId } from "./dom.js";

const PLACE = "unclip-key";

/** The header that a request carries. */
export function authorization() {
  const key = sessionStorage.getItem(PLACE);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

let asking = null;

/** Asks for a key, once for all who wait for it. Resolves to whether one was given. */
export function askForKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const dialog = byId("ask-key"), form = byId("key-form"), input = byId("key");
  const wrong = sessionStorage.getItem(PLACE) !== null;
  byId("ask-told").textContent = wrong
    ? "The key that was given is not the right one."
    : "It is the one that was given to the server when it was started.";
  input.value = "";
  return new Promise((resolve) => {
    let given = false;
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      sessionStorage.setItem(PLACE, input.value.trim());
      given = true;
      dialog.close();
    };
    byId("key-cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(given);
    dialog.showModal();
    input.focus();
  });
}
