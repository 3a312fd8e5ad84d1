// Theme button, charts on demand, live parts. Everything works from the server's HTML without this file.
(() => {
  "use strict";
  let echartsLoading = null;

  const loadCharts = () => {
    echartsLoading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/static/vendor/echarts-6.1.0.min.js?v=6.1.0";
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return echartsLoading;
  };

  // The library and its adapter load when the first chart comes near the window.
  const startCharts = (root) => {
    const waiting = [...root.querySelectorAll("[data-chart]:not([data-ready])")];
    if (!waiting.length) return;
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        loadCharts().then(() => window.gamelakeCharts.draw(entry.target));
      }
    }, { rootMargin: "300px" });
    for (const element of waiting) {
      element.dataset.ready = "";
      seen.observe(element);
    }
  };

  const onClick = (event) => {
    const toggle = event.target.closest("[data-chart-toggle]");
    if (toggle) {
      const table = document.getElementById(toggle.getAttribute("aria-controls"));
      const chart = toggle.closest("figure").querySelector(".chart");
      const show = table.hidden;
      table.hidden = !show;
      chart.hidden = show;
      toggle.setAttribute("aria-expanded", String(show));
      toggle.textContent = show ? "Show as chart" : "Show as table";
    }
    const example = event.target.closest("[data-example]");
    if (example) {
      const box = document.getElementById("sql");
      box.value = example.dataset.example;
      box.focus();
    }
  };

  const say = (text) => {
    const toast = document.getElementById("toast");
    toast.textContent = text;
    setTimeout(() => { if (toast.textContent === text) toast.textContent = ""; }, 5000);
  };

  // How far the step in work is; the rest of the page comes from the server.
  const progress = ({ step, done, total, unit, rows }) => {
    const place = document.getElementById("live-progress");
    if (!place || !total) return;
    const meter = document.createElement("progress");
    meter.max = total;
    meter.value = done;
    const text = document.createElement("span");
    const amount = (value) => value.toLocaleString("en", { maximumFractionDigits: 0 });
    text.textContent = `${step}: ${amount(done)} of ${amount(total)} ${unit}${rows ? `, ${amount(rows)} rows` : ""}`;
    place.replaceChildren(meter, text);
  };

  // A live part names the event stream that tells when it is out of date, and where its new HTML is.
  const startLive = (element) => {
    const dot = document.querySelector("[data-live]");
    const mark = (state, text) => { if (dot) { dot.dataset.live = state; dot.textContent = text; } };
    const stream = new EventSource(element.dataset.liveEvents);
    let due = null, busy = false, again = false;
    const refresh = async () => {
      due = null;
      if (busy) { again = true; return; }
      busy = true;
      try {
        await htmx.ajax("GET", element.dataset.livePart, { target: element, swap: "innerMorph" });
      } finally {
        busy = false;
        if (again) { again = false; refresh(); }
      }
    };
    const soon = () => { due ??= setTimeout(refresh, 120); };
    stream.onopen = () => mark("on", "Live");
    stream.onerror = () => mark("off", "Connecting again…");
    stream.onmessage = (event) => {
      const told = JSON.parse(event.data);
      if (told.kind === "step.progress") progress(told.data);
      else soon();
      if (/^run\.(succeeded|failed|cancelled|interrupted)$/.test(told.kind)) document.body.dispatchEvent(new Event("gamelake:done"));
    };
    stream.addEventListener("end", () => {
      stream.close();
      mark("", "Finished");
      soon();
    });
    addEventListener("pagehide", () => stream.close());
  };

  // Seconds since a start, counted here so that a quiet step is not a still page.
  const tick = () => {
    for (const place of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() - Date.parse(place.dataset.since)) / 1000));
      place.textContent = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    }
  };
  setInterval(tick, 1000);

  document.addEventListener("click", onClick);
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme-toggle")?.addEventListener("click", () => window.gamelakeTheme.toggle());
    startCharts(document);
    document.querySelectorAll("[data-live-events]").forEach(startLive);
  });
  document.addEventListener("htmx:after:swap", () => startCharts(document));
  document.addEventListener("htmx:error", () => say("The server did not answer. Try again in a moment."));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.id === "sql") event.target.form.requestSubmit();
  });
})();
