/* What the pages do beyond being read: they follow what happens, move by arrow keys within bars and
   grids, and copy commands. Without it they are whole, and renewed by loading them again. */
"use strict";

/* One tab stop for many things: the arrow keys move between them. */

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function isVisible(element) {
  return element.getClientRects().length > 0;
}

/* The things to move between, as rows. */
function rowsOf(roving) {
  if (roving.dataset.rove === "bars") {
    return [[...roving.querySelectorAll("button")].filter(isVisible)];
  }
  return [...roving.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td a")]);
}

function makeStop(roving, chosen) {
  for (const each of rowsOf(roving).flat()) each.tabIndex = each === chosen ? 0 : -1;
}

function placeIn(rows, element) {
  const row = rows.findIndex((each) => each.includes(element));
  return row < 0 ? null : [row, rows[row].indexOf(element)];
}

function prepare(root) {
  for (const roving of root.querySelectorAll("[data-rove]")) {
    const all = rowsOf(roving).flat();
    const latest = roving.dataset.rove === "bars" ? all.at(-1) : all[0];
    if (latest) makeStop(roving, latest);
  }
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

function target(rows, [row, column], key) {
  if (key === "Home") return rows[row][0];
  if (key === "End") return rows[row].at(-1);
  const [down, right] = MOVES[key];
  return rows[row + down]?.[column + right];
}

document.addEventListener("keydown", (event) => {
  const roving = event.target.closest?.("[data-rove]");
  if (!roving || event.altKey || event.ctrlKey || event.metaKey) return;
  if (!(event.key in MOVES) && event.key !== "Home" && event.key !== "End") return;
  const rows = rowsOf(roving);
  const place = placeIn(rows, event.target);
  if (!place) return;
  event.preventDefault();
  target(rows, place, event.key)?.focus();
});

/* A bar says its day below the bars when it is pointed at, and keeps to what has the focus. */
function pick(bar) {
  const line = bar.parentElement.nextElementSibling?.querySelector("[data-picked]");
  if (line) line.textContent = bar.getAttribute("aria-label");
}

document.addEventListener("focusin", (event) => {
  const roving = event.target.closest("[data-rove]");
  if (!roving || event.target === roving) return;
  makeStop(roving, event.target);
  if (event.target.matches(".bar")) pick(event.target);
});

document.addEventListener("pointerover", (event) => {
  if (event.target.matches?.("button.bar")) pick(event.target);
});

/* Commands to copy. */

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
    button.textContent = "Copied";
  } catch {
    say("It could not be copied.");
    button.textContent = "Failed";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

/* What is read out. */

function say(text) {
  const line = document.getElementById("said");
  line.textContent = "";
  // A line that is given the same text again is read again only if it was empty in between.
  setTimeout(() => { line.textContent = text; }, 50);
}

/* How long ago something was. */

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function ago(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds >= 0 ? "just now" : "in a moment";
  const [unit, size] = UNITS.find(([, each]) => distance >= 2 * each) ?? UNITS[2];
  const amount = Math.max(Math.round(distance / size), 1);
  const words = `${amount} ${unit}${amount === 1 ? "" : "s"}`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

let clockIsAhead = 0; // of this machine against the server's, in milliseconds

function renewTimes() {
  const now = Date.now() - clockIsAhead;
  for (const each of document.querySelectorAll("[data-at]")) {
    const words = ago((now - Date.parse(each.dataset.at)) / 1000);
    if (each.textContent !== words) each.textContent = words;
  }
}

/* Following what happens. */

function refreshed(told) {
  clockIsAhead = Date.now() - Date.parse(told.at);
  const time = document.getElementById("refreshed");
  time.dateTime = told.at;
  time.textContent = told.when;
}

/* Put new HTML into a fragment; what had the focus has it afterwards, and what was open is open. */
function swap(element, { html, version }) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  const open = [...element.querySelectorAll("details")].map((each) => each.open);
  element.innerHTML = html;
  element.dataset.version = version;
  element.querySelectorAll("details").forEach((each, number) => { each.open = !!open[number]; });
  prepare(element);
  if (!focused) return;
  const again = [...element.querySelectorAll("[data-key], summary, [tabindex]")].find(
    (each) => (key ? each.dataset.key === key : each.outerHTML === focused.outerHTML));
  (again ?? document.getElementById("main")).focus({ preventScroll: true });
}

function show(told) {
  const main = document.getElementById("main");
  const there = new Map([...main.children].map((each) => [each.dataset.fragment, each]));
  for (const [name, fragment] of Object.entries(told.fragments)) {
    if (!there.has(name)) {
      const element = document.createElement("div");
      element.className = "fragment";
      element.dataset.fragment = name;
      there.set(name, element);
    }
    if (there.get(name).dataset.version !== fragment.version) swap(there.get(name), fragment);
  }
  arrange(main, told.order.map((name) => there.get(name)).filter(Boolean));
  document.title = told.title;
  document.getElementById("icon").href = told.icon;
  if (told.said.length) say(told.said.join(" "));
}

/* These children in this order; what is in its place is not touched, so that it keeps the focus. */
function arrange(main, wanted) {
  for (const each of [...main.children]) if (!wanted.includes(each)) each.remove();
  wanted.forEach((each, number) => {
    if (main.children[number] !== each) main.insertBefore(each, main.children[number] ?? null);
  });
}

function setLink(state, words) {
  const link = document.getElementById("link");
  link.hidden = false;
  link.className = `link ${state}`;
  link.textContent = words;
}

let wait = 5000; // milliseconds until a line that was refused is tried again

function follow(version) {
  const source = new EventSource(`${document.body.dataset.live}&since=${version}`);
  let latest = version;
  source.addEventListener("open", () => { wait = 5000; setLink("on", "live"); });
  source.addEventListener("page", (event) => {
    latest = event.lastEventId;
    const told = JSON.parse(event.data);
    show(told);
    refreshed(told);
    renewTimes();
  });
  source.addEventListener("beat", (event) => { refreshed(JSON.parse(event.data)); renewTimes(); });
  source.addEventListener("error", () => {
    setLink("off", "connecting again");
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(() => follow(latest), wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, 120000);
  });
}

prepare(document);
setInterval(renewTimes, 15000);
matchMedia("(max-width: 40rem)").addEventListener("change", () => prepare(document));
if (document.body.dataset.live) follow(document.body.dataset.version);
