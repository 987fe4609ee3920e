"use strict";
// Puts the reader's choices into the examples, sends the forms, and shows the responses.
// Text from outside is only ever inserted as text, never as HTML.

const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// ---- What the reader chooses

const MODELS = ["model", "embed-model"];
// Characters that mean nothing to a shell, so that copied lines are safe to run. Even a host name may contain $(…).
const PLAIN = /^[\w.:/@+-]+$/;
const PLAIN_ORIGIN = /^https?:\/\/(\[[\da-f:]+\]|[\w.-]+)(:\d+)?$/;

function fill(place, value) {
  for (const each of all(`span.${place}, code.${place}`)) each.textContent = value;
}

function choose(place) {
  const input = find(`#${place}`);
  const name = input.value.trim() || input.placeholder;
  if (PLAIN.test(name)) fill(place, name);
  for (const form of all(`form[data-model="${place}"]`)) setModel(find("textarea", form), name);
}

function setOrigin(origin) {
  if (PLAIN_ORIGIN.test(origin)) fill("origin", origin);
}

function setModel(area, name) {
  try {
    area.value = JSON.stringify({ ...JSON.parse(area.value), model_id: name }, null, 2);
  } catch {
    // The reader is editing the body, and it is not valid JSON right now: leave it alone.
  }
  setCommand(area);
}

// The command to copy sends what the form sends: the body is one quoted word of the shell.
function setCommand(area) {
  let body = area.value;
  try {
    body = JSON.stringify(JSON.parse(body), null, 1).replace(/\n */g, " ");
  } catch {
    // It is not valid JSON: the command sends it as it is, like the form.
  }
  find("span.body", area.closest("section")).textContent = `'${body.replaceAll("'", `'"'"'`)}'`;
}

// Shows which models there are, and takes one of them if the reader has not named any.
async function listModels(status) {
  status.textContent = "Asked.";
  const response = await fetch("/v1/models", request(find("#access"))).catch((problem) => ({ problem }));
  if (!response.ok) {
    status.textContent = `No answer: ${response.problem?.message ?? response.status}.`;
    return;
  }
  const names = (await response.json()).data.map((model) => model.id);
  status.textContent = names.join(", ") || "There are none.";
  const embeds = (name) => /embed|minilm|bge/i.test(name);
  preset("model", names.find((name) => !embeds(name)));
  preset("embed-model", names.find(embeds) ?? names[0]);
}

function preset(place, name) {
  const input = find(`#${place}`);
  if (!name || input.value) return;
  input.value = name;
  choose(place);
}

// ---- One call

const ms = (duration) => `${duration.toFixed(duration < 100 ? 1 : 0)} ms`;

function request(form, signal) {
  const headers = {};
  const token = find("#token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  const area = find("textarea", form);
  if (area) headers["Content-Type"] = "application/json";
  const body = area?.value;
  return { method: form.dataset.method ?? "GET", headers, body, signal, cache: "no-store", credentials: "omit" };
}

async function send(form) {
  const view = new View(form);
  const stopper = new AbortController();
  const stop = find(".stop", form);
  stop.onclick = () => stopper.abort();
  view.busy(true);
  try {
    const response = await fetch(form.dataset.path, request(form, stopper.signal));
    view.head(response);
    const type = response.headers.get("Content-Type") ?? "";
    await (type.startsWith("text/event-stream") ? follow(response, view) : whole(response, view));
  } catch (problem) {
    if (stopper.signal.aborted) view.say("Stopped: the connection is closed, and the model stops.", "bad");
    else view.broken(problem);
  } finally {
    view.busy(false);
  }
}

async function whole(response, view) {
  const text = await response.text();
  view.figure("took", ms(view.elapsed()));
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    view.show("text", text);
    return view.say("The response is not JSON.", "bad");
  }
  if (typeof value.output === "string") view.show("text", value.output);
  view.show("json", readable(value));
  if (response.ok) view.say("Complete.", "good");
  else view.say(`Error: ${response.status} ${value.code ?? value.status}.`, "bad");
}

async function follow(response, view) {
  view.say("Waiting for the next token.");
  for await (const event of events(response.body)) view.event(event);
  view.ended();
}

// Server-sent events as this API writes them: one JSON object on one data line.
async function* events(body) {
  const reader = body.getReader(); // pipeThrough would lose the data that arrived just before a break
  const decoder = new TextDecoder();
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + decoder.decode(piece.value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
  }
}

// Vectors are shortened for display.
function readable(value) {
  const short = (key, inner) =>
    Array.isArray(inner) && inner.length > 8 && inner.every((each) => typeof each === "number")
      ? [...inner.slice(0, 4), `… ${inner.length - 4} more`]
      : inner;
  return JSON.stringify(value, short, 1);
}

// ---- What one form shows

class View {
  constructor(form) {
    this.form = form;
    this.began = performance.now();
    this.tokens = 0;
    this.figures = new Map();
    this.final = null;
    for (const each of all("pre", form)) each.replaceChildren(), (each.hidden = true);
    find(".figures", form).replaceChildren();
    this.say("Sent.");
  }

  elapsed() {
    return performance.now() - this.began;
  }

  busy(on) {
    find("[type=submit]", this.form).disabled = on;
    find(".stop", this.form).disabled = !on;
  }

  // The only text that screen readers announce: when something begins or ends, not for every token.
  say(words, kind = "") {
    const state = find(".state", this.form);
    state.textContent = words;
    state.className = `state ${kind}`;
  }

  show(kind, text) {
    const place = find(`pre.${kind}`, this.form);
    place.hidden = false;
    place.append(text);
    place.scrollTop = place.scrollHeight;
  }

  figure(name, value) {
    this.figures.set(name, value);
    find(".figures", this.form).textContent = [...this.figures].map((pair) => pair.join(" ")).join(" · ");
  }

  head(response) {
    this.figure("status", response.status);
    for (const name of ["X-Request-Id", "Retry-After"]) {
      const value = response.headers.get(name);
      if (value) this.figure(name, value);
    }
  }

  event(event) {
    if (event.done === true) this.final = event;
    if (event.done === true || event.error) this.show("json", JSON.stringify(event, null, 1));
    if (event.token) this.token(event.token);
  }

  token(text) {
    if (!this.tokens++) {
      this.first = this.elapsed();
      this.say("Receiving.");
      this.figure("first token", ms(this.first));
    }
    const seconds = (this.elapsed() - this.first) / 1000;
    this.figure("tokens", this.tokens);
    if (seconds > 0) this.figure("tokens a second", ((this.tokens - 1) / seconds).toFixed(1));
    this.show("text", text);
  }

  ended() {
    this.figure("took", ms(this.elapsed()));
    if (this.final) this.say("Complete.", "good");
    else this.say('Cut: the stream ended without "done": true. The answer is incomplete.', "bad");
  }

  broken(problem) {
    this.figure("took", ms(this.elapsed()));
    if (this.figures.has("status")) this.say("Cut: the transfer broke off. The answer is incomplete.", "bad");
    else this.say(`No answer: ${problem.message}.`, "bad");
  }
}

// ---- Copying, and links into closed sections

async function copy(button) {
  const lines = find("code", button.parentElement);
  getSelection().selectAllChildren(lines);
  if (!navigator.clipboard) return; // there is no clipboard over plain HTTP; the reader can copy the selection by hand
  await navigator.clipboard.writeText(lines.textContent);
  button.textContent = "Copied";
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest("details:not([open])");
  if (closed) closed.open = true, target.scrollIntoView();
}

for (const form of all("form.try")) {
  form.addEventListener("submit", (event) => (event.preventDefault(), send(form)));
}
for (const area of all("textarea")) area.addEventListener("input", () => setCommand(area));
for (const button of all("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
find("#list-models")?.addEventListener("click", () => listModels(find("#models")));
find("#access").addEventListener("submit", (event) => event.preventDefault());
setOrigin(location.origin);
const asked = new URLSearchParams(location.search).get("model");
for (const place of MODELS) {
  const input = find(`#${place}`);
  if (asked && PLAIN.test(asked)) input.value = asked;
  input.addEventListener("input", () => choose(place));
  choose(place);
}
addEventListener("hashchange", reveal);
reveal();
