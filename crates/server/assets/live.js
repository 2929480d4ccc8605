// Keeps the list [data-live] up to date: loads this same page again and takes the list out of it, while the
// page is looked at and nobody has stopped it.
"use strict";

const control = document.querySelector("[data-live-control]");
const button = control && control.querySelector("button");
let paused = false;

const refresh = async () => {
  if (paused || document.hidden) return;
  const list = document.querySelector("[data-live]");
  // Whoever is on a link in the list keeps it.
  if (!list || list.contains(document.activeElement)) return;
  const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  if (!fresh) return;
  list.replaceWith(document.adoptNode(fresh));
  document.dispatchEvent(new Event("times"));
};

if (button) {
  control.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    control.querySelector(".badge").hidden = paused;
    button.setAttribute("aria-pressed", String(paused));
  });
  setInterval(() => refresh().catch(() => {}), 3000);
}
