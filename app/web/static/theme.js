// Sets light or dark before the first paint; loaded in the head without defer for that reason.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print"); // is white, whatever the screen
  const read = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto";
    }
  };
  const apply = () => {
    const choice = read();
    root.dataset.themeChoice = choice;
    const isDark = !paper.matches && (choice === "auto" ? system.matches : choice === "dark");
    root.dataset.bsTheme = isDark ? "dark" : "light";
  };
  apply();
  const announce = () => {
    // Colours change at once: an inherited one would fade level by level, and be unreadable on the way.
    root.classList.add("ck-theme-changes");
    apply();
    void root.offsetWidth; // the new colours are taken while nothing fades
    root.classList.remove("ck-theme-changes");
    document.dispatchEvent(new CustomEvent("theme", { detail: root.dataset.bsTheme }));
  };
  system.addEventListener("change", announce);
  paper.addEventListener("change", announce);
  addEventListener("storage", (event) => event.key === "theme" && announce());
  addEventListener("theme-choice", (event) => {
    try {
      localStorage.setItem("theme", event.detail);
    } catch {
      // private windows may refuse storage; the choice then lasts for this page
    }
    root.dataset.themeChoice = event.detail;
    announce();
  });
})();
