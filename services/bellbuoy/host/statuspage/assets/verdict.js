// The verdict: the one thing to read when there is time for one.

import { byId, element, list, mark, say } from "./dom.js";
import { clock, span } from "./format.js";

const LOST = {
  level: "lost",
  what: "The admin process does not answer",
  meaning: "What stands below is old. Clients may be served all the same: they do not need it.",
  look: "The supervisor replaces it within a second or two; this page goes on by itself. If it " +
    "does not, the whole service is gone: look at its log.",
};

const CROWDED = {
  level: "lost",
  what: "Too many windows show this page",
  meaning: "This one gets no numbers; what may stand below is old. Of the service it says nothing: " +
    "its clients notice nothing of it.",
  look: "Close another window, or a script that reads /events. This one tries again by itself. " +
    "/tasks and /metrics answer all the same.",
};

const more = list(byId("more"), {
  key: (incident) => incident.finding.key,
  make: () => element("li"),
  fill: (item, { finding, began }) => say(item, `${finding.what} (since ${clock(began)}). ${finding.meaning}`),
});

let moment = null;

/** Show the verdict of a moment. */
export function judge(now) {
  moment = now;
  const [worst, ...others] = now.current;
  if (worst) {
    const { finding, began } = worst;
    show(finding, `for ${span(now.at - began)}, since ${clock(began)}`);
  } else {
    show({ level: "ok", ...well(now), look: now.load }, "");
  }
  more(others);
  document.title = `${worst ? `⚠ ${worst.finding.what}` : "✓ well"} · ${byId("service").textContent}`;
}

/** Say that nothing comes any more. */
export function lose() {
  miss(LOST, "? no answer");
}

/** Say that others have every seat. */
export function wait() {
  miss(CROWDED, "? no seat");
}

/** Say, where only the title is seen, that nobody listens. */
export function pause() {
  document.title = `‖ paused · ${byId("service").textContent}`;
}

function miss(why, title) {
  show(why, moment ? `the last word came at ${clock(moment.at)}` : "");
  more([]);
  document.title = `${title} · ${byId("service").textContent}`;
}

function well({ calm, recent }) {
  if (!recent) return { what: "All is well", meaning: calm };
  const { finding, began, ended } = recent;
  return {
    what: "All is well again",
    meaning: `${calm} Over: “${finding.what}”, ${span(Math.max(1, ended - began))} from ${clock(began)}.`,
  };
}

function show({ level, what, meaning, look }, since) {
  mark(byId("verdict"), "level", level);
  say(byId("what"), what);
  say(byId("since"), since);
  say(byId("meaning"), meaning);
  say(byId("look"), look);
}
