// Runs before the first paint: the theme people chose, else what their system says.
(() => {
  "use strict";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("gamelake-theme"); } catch { /* storage may be refused */ }

  const apply = () => {
    root.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    document.dispatchEvent(new CustomEvent("gamelake:theme"));
  };
  window.gamelakeTheme = {
    toggle() {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("gamelake-theme", chosen); } catch { /* as above */ }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
