// Counts down what is left of each token; without this script the time of expiry stands there alone.
"use strict";

const pad = (number) => String(number).padStart(2, "0");

const inWords = (seconds) => {
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24];
  const clock = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  if (days) return `${days} d ${hours}:${clock}`;
  return hours ? `${hours}:${clock}` : clock;
};

const tick = () => {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.ceil((Date.parse(element.dataset.countdown) - Date.now()) / 1000));
    element.hidden = false;
    if (element instanceof HTMLProgressElement) element.value = left;
    else element.textContent = left ? `${inWords(left)} ${element.dataset.left}` : element.dataset.over;
  }
};

tick();
setInterval(tick, 1000);
