// The feed: server-sent events, opened again whenever they end, and missed when they stop.

const RETRY = 1000; // milliseconds; an admin process that died is back within one or two seconds
const SILENCE = 3500; // a moment comes every second: after so many without one, it has stopped

/** Call past(object), now(object) and silent(isSilent) as they happen, for ever. */
export function follow({ past, now, silent }) {
  let source;
  let alarm;

  const heard = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => {
      silent(true);
      again();
    }, SILENCE);
  };
  const again = () => {
    source?.close();
    setTimeout(open, RETRY);
    heard();
  };
  const open = () => {
    source?.close();
    source = new EventSource("/events");
    source.addEventListener("past", (event) => {
      heard();
      past(JSON.parse(event.data));
    });
    source.addEventListener("now", (event) => {
      heard();
      silent(false);
      now(JSON.parse(event.data));
    });
    // The browser tries again by itself after a cut, but not after an answer such as 503.
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) again();
    });
  };

  heard();
  open();
}
