// The feed: server-sent events, opened again whenever they end, and missed when they stop. Who does
// not see the page takes no seat and none of the six connections that a browser has for a host.

const RETRY = 1000; // milliseconds; an admin process that died is back within one or two seconds
const SILENCE = 3500; // a moment comes every second: after so many without one, it has stopped
const CROWDED = 503; // there are as many readers as there may be
const LATER = 5; // seconds until the next attempt where the answer names none

/** Call past(object), now(object), silent(isSilent), crowded() and paused() as they happen, for ever. */
export function follow({ past, now, silent, crowded, paused }) {
  let source;
  let alarm;
  let attempt;
  let question;

  const rest = () => {
    clearTimeout(alarm);
    clearTimeout(attempt);
    question?.abort();
    source?.close();
  };
  const watch = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => {
      silent(true);
      again();
      watch();
    }, SILENCE);
  };
  const again = () => {
    source?.close();
    clearTimeout(attempt);
    attempt = setTimeout(open, RETRY);
  };
  const begin = () => {
    watch();
    open();
  };
  const open = () => {
    source?.close();
    source = new EventSource("/events");
    source.addEventListener("past", (event) => {
      watch();
      past(JSON.parse(event.data));
    });
    source.addEventListener("now", (event) => {
      watch();
      silent(false);
      now(JSON.parse(event.data));
    });
    // The browser tries again by itself after a cut, but not after an answer such as 503.
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) ask();
    });
  };
  // An EventSource does not tell what was answered.
  const ask = async () => {
    question?.abort();
    const { signal } = (question = new AbortController());
    const answer = await fetch("/events", { signal }).catch(() => null);
    if (signal.aborted) return;
    question.abort(); // if a seat is free by now, it is for the stream
    if (answer?.status !== CROWDED) return again();
    rest();
    crowded();
    attempt = setTimeout(begin, 1000 * (Number(answer.headers.get("Retry-After")) || LATER));
  };

  document.addEventListener("visibilitychange", () => {
    rest();
    if (document.hidden) paused();
    else begin();
  });
  if (document.hidden) paused();
  else begin();
}
