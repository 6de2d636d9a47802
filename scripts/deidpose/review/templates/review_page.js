"use strict";
// Everything on the page works without this: it copies rows and hides what is not looked for.
const reviewer = document.getElementById("reviewer");
const video = document.getElementById("video");
const kind = document.getElementById("kind");
const told = document.getElementById("told");
const REVIEWER_COLUMN = 8;

document.getElementById("controls").hidden = false;
for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;

function filled(text) {
  const fields = text.split("\t");
  if (fields.length > REVIEWER_COLUMN && fields[REVIEWER_COLUMN] === "") fields[REVIEWER_COLUMN] = reviewer.value.trim();
  return fields.join("\t");
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const copied = await copy(filled(button.parentElement.querySelector("code").textContent));
  button.focus();
  button.classList.toggle("done", copied);
  told.textContent = copied ? "Copied." : "Your browser does not allow copying: select the row and copy it.";
});

function choose() {
  const wanted = video.value.trim().toLowerCase();
  let shown = 0;
  for (const section of document.querySelectorAll("details.video")) {
    const named = section.dataset.video.toLowerCase().includes(wanted);
    const kinds = section.dataset.kinds.split(" ");
    section.hidden = !named || (kind.value !== "" && !kinds.includes(kind.value));
    if (!section.hidden) shown += 1;
    for (const finding of section.querySelectorAll(".finding")) {
      finding.hidden = kind.value !== "" && finding.dataset.kind !== kind.value;
    }
  }
  document.getElementById("shown").textContent = `${shown} shown`;
}
video.addEventListener("input", choose);
kind.addEventListener("change", choose);
choose();
