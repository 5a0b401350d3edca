// A chart: five minutes of a few lines, its values in words, and a band wherever something was wrong.

import { element, mark, say } from "./dom.js";
import { UNITS, tick } from "./format.js";

const HEIGHT = 104;
const STEPS = [1, 2, 2.5, 5, 10];

/** A chart card; past is the data that all charts share. */
export class Chart {
  constructor(legend, past, onCursor) {
    this.legend = legend;
    this.past = past;
    this.format = UNITS[legend.unit];
    this.index = null;
    this.limit = null;
    this.card = element("article", "chart card");
    this.headline = element("span", "figure", "–");
    this.bound = element("span", "bound muted");
    const head = element("div", "head");
    head.append(element("h3", "", legend.title), this.headline, this.bound);
    this.place = element("div", "plot");
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", legend.title);
    this.values = element("dl", "lines");
    this.figures = legend.lines.map(([label, tone]) => this.#line(label, tone));
    this.card.append(head, this.place, this.values);
    this.onCursor = onCursor;
  }

  /** Draw for the first time, now that the card is in the page; again in the colours of a theme. */
  draw() {
    this.plot?.destroy();
    this.plot = new uPlot(this.#options(), this.#data(), this.place);
    this.watch?.disconnect();
    this.watch = new ResizeObserver(() => this.plot.setSize({ width: this.#width(), height: HEIGHT }));
    this.watch.observe(this.place);
  }

  /** Show what has come. */
  update(limit) {
    this.limit = limit ?? null;
    this.plot.setData(this.#data());
    this.#say();
  }

  #line(label, tone) {
    const name = element("dt", "", label);
    name.dataset.tone = tone;
    const figure = element("dd", "", "–");
    const pair = element("div");
    pair.append(name, figure);
    this.values.append(pair);
    return figure;
  }

  #data() {
    return [this.past.at, ...this.past.values[this.legend.key]];
  }

  #say() {
    const lines = this.past.values[this.legend.key];
    const index = this.index ?? this.past.at.length - 1;
    lines.forEach((line, number) => say(this.figures[number], this.format(line[index])));
    const last = lines[0].at(-1);
    say(this.headline, this.format(last));
    say(this.bound, this.limit ? `of ${this.format(this.limit)}` : "");
    this.place.setAttribute("aria-label", `${this.legend.title}: ${this.legend.lines
      .map(([label], number) => `${label} ${this.format(lines[number].at(-1))}`).join(", ")}`);
    mark(this.card, "full", String(Boolean(this.limit) && last >= this.limit));
  }

  #width() {
    return Math.max(120, Math.floor(this.place.clientWidth));
  }

  #options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: colour("muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.#width(),
      height: HEIGHT,
      padding: [8, 4, 0, 0],
      legend: { show: false },
      select: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { show: false },
        sync: { key: "status" },
      },
      scales: {
        x: { time: true, range: (_, __, last) => [last - this.past.samples, last] },
        y: { range: (_, __, most) => [0, ceiling(most, this.legend.unit)] },
      },
      axes: [
        { ...axis, size: 22, gap: 4, space: 44, incrs: [60], values: (_, marks) => marks.map(minute) },
        {
          ...axis,
          size: 52,
          gap: 6,
          space: 30,
          values: (_, marks) => marks.map(tick(this.format)),
        },
      ],
      series: [{}, ...this.legend.lines.map(([, tone]) => ({
        stroke: colour(tone),
        width: 1.75,
        points: { show: () => false, size: 4, fill: colour(tone), filter: alone },
      }))],
      hooks: {
        drawClear: [(plot) => this.#bands(plot, { bad: colour("band-bad"), warn: colour("band-warn") })],
        setCursor: [(plot) => {
          this.index = plot.cursor.idx ?? null;
          this.#say();
          this.onCursor(this.index);
        }],
      },
    };
  }

  #bands(plot, colours) {
    const { at, levels } = this.past;
    const { left, top, width, height } = plot.bbox;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    levels.forEach((level, index) => {
      if (!(level in colours)) return;
      // From the moment before to this one; the same pixel is never painted twice.
      const since = index ? Math.max(at[index - 1], at[index] - 2) : at[index] - 1;
      const [begin, end] = [since, at[index]].map((time) => Math.round(plot.valToPos(time, "x", true)));
      ctx.fillStyle = colours[level];
      ctx.fillRect(begin, top, end - begin, height);
    });
    ctx.restore();
  }
}

function minute(at) {
  const time = new Date(at * 1000);
  return `${String(time.getHours()).padStart(2, "0")}:${String(time.getMinutes()).padStart(2, "0")}`;
}

// A round number above the highest value; steady, so that the scale does not breathe.
function ceiling(most, unit) {
  const least = unit === "seconds" ? 0.001 : unit === "byterate" ? 1000 : 4;
  const wanted = Math.max(least, (most ?? 0) * 1.08);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * STEPS.find((step) => step * power >= wanted * (1 - 1e-9));
}

// A value between two gaps makes no line: it is a point.
function alone(plot, number) {
  const line = plot.data[number];
  const found = [];
  line.forEach((value, index) => {
    if (value != null && line[index - 1] == null && line[index + 1] == null) found.push(index);
  });
  return found.length ? found : null;
}
