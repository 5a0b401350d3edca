// A sparkline: how often a task began in each second of the last minute.

const NAMES = "http://www.w3.org/2000/svg";
const WIDTH = 96;
const HEIGHT = 20;

export function spark(cell, values, length) {
  let line = cell.querySelector("polyline");
  if (!line) {
    const picture = document.createElementNS(NAMES, "svg");
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute("class", "spark");
    picture.setAttribute("aria-hidden", "true");
    line = document.createElementNS(NAMES, "polyline");
    picture.append(line);
    cell.replaceChildren(picture);
  }
  const most = Math.max(...values, 1e-9);
  const step = WIDTH / (length - 1);
  const first = length - values.length;
  const points = values.map(
    (value, index) => `${((first + index) * step).toFixed(1)},${(HEIGHT - 1.5 - (value / most) * (HEIGHT - 3)).toFixed(1)}`,
  );
  line.setAttribute("points", points.join(" "));
}
