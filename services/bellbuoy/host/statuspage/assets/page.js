// The page: what comes is kept for five minutes and shown; nothing is asked of anybody.

import { Chart } from "./chart.js";
import { byId, mark, say } from "./dom.js";
import { clock, span } from "./format.js";
import { follow } from "./feed.js";
import { remember, tabulate } from "./tables.js";
import { judge, lose, pause, wait } from "./verdict.js";

let memory = null;
let charts = [];

function begin(past) {
  memory = past;
  say(byId("service"), past.service);
  remember(past);
  charts.forEach((chart) => chart.plot?.destroy());
  charts = past.charts.map((legend) => new Chart(legend, memory, pointAt));
  byId("charts").replaceChildren(...charts.map((chart) => chart.card));
  charts.forEach((chart) => chart.draw());
}

function add(now) {
  const known = memory.charts.every(({ key }) => key in now.values);
  if (!known || memory.at.at(-1) === now.at) return;
  memory.at.push(now.at);
  memory.levels.push(now.level);
  for (const { key } of memory.charts) {
    memory.values[key].forEach((line, index) => line.push(now.values[key][index]));
  }
  if (memory.at.length > memory.samples) {
    memory.at.shift();
    memory.levels.shift();
    Object.values(memory.values).flat().forEach((line) => line.shift());
  }
}

function show(now) {
  add(now);
  judge(now);
  tabulate(now);
  charts.forEach((chart) => chart.update(now.limits[chart.legend.key]));
  const up = Math.max(...now.processes.map((each) => each.age));
  say(byId("build"), `Bellbuoy ${memory.version}, Python ${memory.python}, up ${span(up)}`);
  say(byId("live"), `live ${clock(now.at)}`);
}

function pointAt(index) {
  say(byId("cursor"), index == null ? "" : `at ${clock(memory.at[index])}`);
}

function stand(word, state) {
  mark(byId("live"), "state", state);
  document.body.classList.toggle("stale", state === "lost");
  if (word) say(byId("live"), word);
}

follow({
  past: begin,
  now: show,
  silent: (isSilent) => {
    stand(isSilent ? "reconnecting" : "", isSilent ? "lost" : "live");
    if (isSilent) lose();
  },
  crowded: () => {
    stand("waiting for a seat", "lost");
    wait();
  },
  paused: () => {
    stand("paused", "wait");
    pause();
  },
});

document.addEventListener("theme", () => charts.forEach((chart) => chart.draw()));
