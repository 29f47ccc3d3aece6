"use strict";
const slides = [...document.querySelectorAll(".slide")];
const wanted = () => Number(location.hash.slice(1)) || 1;
let shown = 0;

function show(number) {
  shown = Math.min(slides.length, Math.max(1, number));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i + 1 === shown));
  if (document.body.classList.contains("staged") && location.hash !== "#" + shown) history.replaceState(null, "", "#" + shown);
}

function fit() {
  const staged = innerWidth > 900 && innerHeight > 300;
  document.body.classList.toggle("staged", staged);
  document.body.style.setProperty("--zoom", Math.min(innerWidth / 1920, innerHeight / 1080));
}

const ways = {
  ArrowRight: () => shown + 1, ArrowDown: () => shown + 1, PageDown: () => shown + 1, Enter: () => shown + 1,
  ArrowLeft: () => shown - 1, ArrowUp: () => shown - 1, PageUp: () => shown - 1, Backspace: () => shown - 1,
  Home: () => 1, End: () => slides.length,
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !document.body.classList.contains("staged")) return;
  if (event.key === "Enter" && event.target.closest("a")) return;
  const way = event.key === " " ? ways[event.shiftKey ? "ArrowLeft" : "ArrowRight"] : ways[event.key];
  if (!way) return;
  event.preventDefault();
  show(way());
});
let from = null;
addEventListener("touchstart", (event) => { from = event.touches[0].clientX; }, { passive: true });
addEventListener("touchend", (event) => {
  const moved = event.changedTouches[0].clientX - from;
  if (document.body.classList.contains("staged") && Math.abs(moved) > 60) show(shown + (moved < 0 ? 1 : -1));
});
addEventListener("hashchange", () => show(wanted()));
addEventListener("resize", fit);
fit();
show(wanted());
