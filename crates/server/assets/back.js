// A browser may keep a page as it was, and show it again when somebody goes back, whatever was ended since. So a
// page that was kept is asked for anew, and shows nothing until then.
"use strict";

addEventListener("pagehide", (event) => {
  document.documentElement.hidden = event.persisted;
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.replace(location.href);
});
