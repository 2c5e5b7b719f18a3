"use strict";
// The state is fetched anew every two seconds while somebody may be looking.
async function look() {
  const state = document.getElementById("state");
  try {
    if (!document.hidden && !state.matches(":active")) {
      const page = new DOMParser().parseFromString(await (await fetch(state.dataset.from)).text(), "text/html");
      if (!lines && page.getElementById("lines")) location.reload(); // there was no daemon when it was loaded
      const focused = document.activeElement.id;
      state.replaceChildren(...page.getElementById("state").childNodes);
      state.className = "";
      if (focused) document.getElementById(focused)?.focus();
    }
  } catch { state.className = "stale"; }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);

// The lines come by themselves while the page is in sight, for a browser has few connections to a site; after a break,
// from the beginning. Who has scrolled back to read finds them as they were, until he is at the end again.
const lines = document.getElementById("lines");
if (lines) {
  let source = null, anew = false;
  const atEnd = () => lines.scrollTop + lines.clientHeight > lines.scrollHeight - 20;
  const add = (kind, time, text) => {
    const follows = atEnd();
    const line = Object.assign(document.createElement("div"), {className: kind});
    line.append(Object.assign(document.createElement("time"), {textContent: time}), text);
    lines.append(line);
    if (lines.childElementCount > 1000) lines.firstElementChild.remove();
    if (follows) lines.scrollTop = lines.scrollHeight;
  };
  const note = (text) => { if (lines.lastElementChild?.textContent !== text) add("note", "", text); };
  const follow = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    }
    if (document.hidden || source || !atEnd()) return;
    source = new EventSource(lines.dataset.from);
    const on = (event, act) => source.addEventListener(event, (e) => act(JSON.parse(e.data)));
    source.onopen = () => { anew = true; };
    on("line", ([time, text, stderr]) => {
      if (anew) lines.replaceChildren();
      anew = false;
      add(stderr ? "stderr" : "", time + " ", text);
    });
    on("note", note);
    on("end", (text) => { note(text); source.close(); });
  };
  document.addEventListener("visibilitychange", follow);
  lines.addEventListener("scroll", follow);
  follow();
}
