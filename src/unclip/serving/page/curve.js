/** A loss curve. */
import { byId } from "./dom.js";

const round = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const EDGE = 3; // per cent that stay free above and below

/** points: [[step, loss], ...], at least one. name: of what. */
export function curve(points, name) {
  const figure = byId("curve").content.firstElementChild.cloneNode(true);
  const part = (selector) => figure.querySelector(selector);
  const losses = points.map(([, loss]) => loss), steps = points.map(([step]) => step);
  const [low, high, first, last] = [Math.min(...losses), Math.max(...losses), Math.min(...steps), Math.max(...steps)];
  const log = low > 0;
  const scale = log ? Math.log10 : (loss) => loss;
  const x = (step) => (last > first ? (100 * (step - first)) / (last - first) : 50);
  const y = (loss) => (high > low ? EDGE + ((100 - 2 * EDGE) * (scale(high) - scale(loss))) / (scale(high) - scale(low)) : 50);

  const drawn = points.map(([step, loss]) => `${x(step).toFixed(2)} ${y(loss).toFixed(2)}`);
  part(".line").setAttribute("d", `M${drawn.join("L")}${drawn.length === 1 ? "h0" : ""}`);
  const rules = log ? decades(low, high) : [];
  part(".rules").setAttribute("d", rules.map((loss) => `M0 ${y(loss).toFixed(2)}H100`).join(""));
  part(".high").textContent = round.format(high);
  part(".low").textContent = high > low ? round.format(low) : "";
  part(".first").textContent = `step ${whole.format(first)}`;
  part(".last").textContent = last > first ? whole.format(last) : "";
  part(".scale").textContent = log ? `loss (log${rules.length ? `; ${rules.length > 1 ? "lines" : "line"}: ${rules.map((loss) => round.format(loss)).join(", ")}` : ""})` : "loss";
  const ends = `from ${round.format(losses[0])} at step ${whole.format(steps[0])} to ${round.format(losses.at(-1))} at step ${whole.format(steps.at(-1))}`;
  part("svg").setAttribute("aria-label", `Loss of ${name}: ${ends}, lowest ${round.format(low)}, highest ${round.format(high)}`);
  return figure;
}

/** The powers of ten strictly between two losses. */
function decades(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)) + 1; 10 ** power < high; power++) found.push(10 ** power);
  return found;
}
