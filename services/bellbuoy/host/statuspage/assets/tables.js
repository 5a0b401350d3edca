// The tables below the charts.

import { byId, element, list, rows, say, mark, text } from "./dom.js";
import { age, brief, bytes, clock, count, rate, seconds, span } from "./format.js";
import { spark } from "./spark.js";

const SPARK = 60;

let before = new Map(); // processor seconds by pid, a moment ago
let cpu = new Map();
let sparks = {};
let at = 0;

/** Begin with what is remembered. */
export function remember(past) {
  sparks = past.rates;
  before = new Map();
  cpu = new Map();
  at = 0;
}

/** Show a moment. */
export function tabulate(now) {
  measure(now);
  for (const [name, value] of Object.entries(now.rates)) {
    sparks[name] = [...(sparks[name] ?? []), value].slice(-SPARK);
  }
  processes(now.processes);
  tasks(now.tasks);
  running(now.running.map((each, index) => ({ ...each, index })));
  incidents(now.incidents);
  refusals(now.refusals);
  others(now.others);
  hide("no-tasks", now.tasks.length);
  hide("no-running", now.running.length);
  hide("no-incidents", now.incidents.length);
  byId("incident-rows").hidden = !now.incidents.length;
  hide("no-refusals", now.refusals.length);
  byId("others").hidden = !now.others.length;
}

function hide(id, count) {
  byId(id).hidden = count > 0;
}

function measure(now) {
  const passed = now.at - at;
  const taken = new Map(now.processes.map((each) => [each.pid, each.cpu_seconds]));
  if (at && passed > 0) {
    cpu = new Map([...taken].filter(([pid]) => before.has(pid))
      .map(([pid, used]) => [pid, Math.max(0, (used - before.get(pid)) / passed)]));
  }
  before = taken;
  ({ at } = now);
}

const processes = rows(byId("process-rows"), (row) => row.name, [
  {
    draw: (cell, row) => {
      if (!cell.firstChild) cell.append(element("span"), element("small", "muted"));
      say(cell.children[0], row.name);
      say(cell.children[1], `${row.pid}`);
    },
  },
  {
    className: "state",
    draw: (cell, row) => {
      mark(cell, "state", row.state);
      say(cell, row.state === "blocked" ? `blocked ${span(row.beat_age)}` : row.state);
    },
  },
  text("n", (row) => (row.connections == null ? "" : count(row.connections))),
  text("n", (row) => (cpu.has(row.pid) ? `${Math.round(cpu.get(row.pid) * 100)} %` : "–")),
  text("n wide", (row) => bytes(row.memory)),
  text("n wide", (row) => age(row.beat_age)),
  text("n", (row) => brief(row.age)),
]);

const tasks = rows(byId("task-rows"), (row) => row.name, [
  {
    draw: (cell, row) => {
      if (!cell.firstChild) cell.append(element("span"), element("small", "fault"));
      say(cell.children[0], row.name);
      const error = row.last_error;
      say(cell.children[1], error ? `${error.type}${error.message ? `: ${error.message}` : ""} (${clock(error.at)})` : "");
    },
  },
  { className: "wide", draw: (cell, row) => spark(cell, sparks[row.name] ?? [], SPARK) },
  text("n", (row) => rate(row.rate)),
  text("n", (row) => seconds(row.p99)),
  text("n wide", (row) => count(row.running)),
  text("n wide", (row) => count(row.outcomes.completed)),
  outcome("n", "failed"),
  outcome("n wide", "timed_out"),
  text("n wide", (row) => count(row.outcomes.cancelled)),
  outcome("n wide", "lost"),
]);

function outcome(className, name) {
  return {
    className,
    draw: (cell, row) => {
      say(cell, count(row.outcomes[name]));
      mark(cell, "any", String(row.outcomes[name] > 0));
    },
  };
}

const running = list(byId("running-rows"), {
  key: (each) => each.index,
  make: () => {
    const item = element("li");
    const head = element("p");
    head.append(element("strong"), element("span", "n"), element("small", "muted"));
    item.append(head, element("p", "stack muted"));
    return item;
  },
  fill: (item, each) => {
    const [name, aged, where] = item.firstChild.children;
    say(name, each.name);
    say(aged, age(each.age));
    const many = each.running > 1 ? `, one of ${count(each.running)} running` : "";
    say(where, `worker ${each.worker}${many}`);
    say(item.lastChild, each.stack.length ? each.stack.join(" › ") : "a span: it has no stack");
  },
});

const incidents = list(byId("incident-rows"), {
  key: ({ finding, began }) => `${finding.key} ${began}`,
  make: () => {
    const item = element("li");
    item.append(element("time"), element("span", "dot"), element("span", "told"), element("span", "n"));
    return item;
  },
  fill: (item, { finding, began, ended }) => {
    const [time, , told, length] = item.children;
    mark(item, "level", finding.level);
    mark(item, "open", String(ended == null));
    say(time, clock(began));
    say(told, finding.what);
    say(length, ended == null ? "goes on" : span(Math.max(1, ended - began)));
  },
});

const refusals = rows(byId("refusal-rows"), (row) => row.what, [
  text("", (row) => row.what),
  text("n", (row) => count(row.total)),
  text("n", (row) => rate(row.rate)),
]);

const others = rows(byId("other-rows"), (row) => row.name, [
  {
    draw: (cell, row) => {
      if (!cell.firstChild) cell.append(element("span"), element("small", "muted"));
      say(cell.children[0], row.name);
      say(cell.children[1], row.help);
    },
  },
  text("n", (row) => count(row.value)),
  text("n", (row) => (row.rate == null ? "" : rate(row.rate))),
]);
