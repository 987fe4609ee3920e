"use strict";
// What a page can do beyond being read: choose what is shown, open and close all, copy a line. Everything is there without it.

const form = document.querySelector("form");
const choices = [...form.querySelectorAll("select")];
const words = form.querySelector("#words");
const output = form.querySelector("output");
const requirements = [...document.querySelectorAll(".requirement")].map((element) => ({
  element,
  verdicts: element.matches(".verdict") ? [element] : [...element.querySelectorAll(".verdict")],
  text: element.textContent.toLowerCase(),
}));

function chosen(verdict) {
  return choices.every(({ id, value }) => {
    const own = verdict.dataset[id];
    return value.startsWith("not ") ? own !== value.slice(4) : value === "" || own === value;
  });
}

function show() {
  const wanted = words.value.trim().toLowerCase();
  let count = 0;
  for (const { element, verdicts, text } of requirements) {
    for (const verdict of verdicts) verdict.hidden = !chosen(verdict);
    element.hidden = !text.includes(wanted) || verdicts.every((verdict) => verdict.hidden);
    count += !element.hidden;
  }
  for (const section of document.querySelectorAll(".requirements")) {
    section.hidden = !section.querySelector(".requirement:not([hidden])");
  }
  output.value = `${count} of ${requirements.length} requirements shown`;
}

function openAll(open) {
  for (const details of document.querySelectorAll(".requirement, .verdict")) details.open = open;
}

// A link to a requirement leads to it also when it is closed, or not among those that are shown.
function arrive() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.matches(".requirement")) return;
  if (target.hidden) {
    form.reset();
    show();
  }
  target.open = true;
  target.scrollIntoView();
  target.querySelector("summary")?.focus();
}

async function copy(line, button) {
  try {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(line);
    button.textContent = "Selected: copy it with Ctrl+C";
  }
}

function addButton(line) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(line, button));
  line.after(button);
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.querySelector("#open")?.addEventListener("click", () => openAll(true));
form.querySelector("#close")?.addEventListener("click", () => openAll(false));
document.querySelectorAll(".curl").forEach(addButton);
addEventListener("hashchange", arrive);
show();
arrive();
