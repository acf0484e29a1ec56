// Fetches the parts of the page that are marked as live again when the host says that something moved.
"use strict";
(() => {
  const parts = () => document.querySelectorAll("[data-live]");
  if (parts().length === 0 || !window.EventSource) return;
  const gone = document.getElementById("gone");
  let busy = false, again = false;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts()) {
          const next = fresh.getElementById(part.id);
          // What somebody is using stays until it is let go.
          if (!next || part.contains(document.activeElement) || next.innerHTML === part.innerHTML) continue;
          for (const open of part.querySelectorAll("details[open][id]")) {
            fresh.getElementById(open.id)?.setAttribute("open", "");
          }
          part.replaceChildren(...next.childNodes);
        }
      }
    } catch { /* The stream of events says when the host is back. */ }
    busy = false;
    if (again) { again = false; refresh(); }
  }

  const events = new EventSource("/ui/events");
  let lost = false;
  events.addEventListener("change", refresh);
  events.onopen = () => { gone.hidden = true; if (lost) refresh(); lost = false; };
  events.onerror = () => { gone.hidden = false; lost = true; };
})();
