"use strict";
// The state is fetched anew every two seconds while somebody may be looking.
async function look() {
  const state = document.getElementById("state");
  try {
    if (!document.hidden && !state.matches(":active")) {
      const page = new DOMParser().parseFromString(await (await fetch(state.dataset.from)).text(), "text/html");
      const focused = document.activeElement.id;
      state.replaceChildren(...page.getElementById("state").childNodes);
      state.className = "";
      if (focused) document.getElementById(focused)?.focus();
    }
  } catch { state.className = "stale"; }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);

// The lines come by themselves; after a break, from the beginning.
const lines = document.getElementById("lines");
if (lines) {
  const source = new EventSource(lines.dataset.from);
  let anew = false;
  const add = (kind, time, text) => {
    const atEnd = lines.scrollTop + lines.clientHeight > lines.scrollHeight - 20;
    const line = Object.assign(document.createElement("div"), {className: kind});
    line.append(Object.assign(document.createElement("time"), {textContent: time}), text);
    lines.append(line);
    if (lines.childElementCount > 1000) lines.firstElementChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  };
  const on = (event, act) => source.addEventListener(event, (e) => act(JSON.parse(e.data)));
  const note = (text) => { if (lines.lastElementChild?.textContent !== text) add("note", "", text); };
  source.onopen = () => { anew = true; };
  on("line", ([time, text, stderr]) => {
    if (anew) lines.replaceChildren();
    anew = false;
    add(stderr ? "stderr" : "", time + " ", text);
  });
  on("note", note);
  on("end", (text) => { note(text); source.close(); });
}
