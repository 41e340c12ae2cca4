// What is not needed for the first paint holds it up neither by its way here nor by its work: once the page is drawn,
// style sheets and then scripts are made of what the page names as such, scripts to run in that order.
(() => {
  const LONG_MS = 3000; // nobody waits longer for a paint that is not told of, or for a sheet that does not come
  const root = document.documentElement;
  root.dataset.scripts = "awaited"; // until all have run
  const arrived = (link) => new Promise((done) => {
    link.onload = link.onerror = done;
    link.rel = "stylesheet";
  });
  const fetchEarly = (script) => {
    const link = document.createElement("link");
    link.rel = script.type === "late-module" ? "modulepreload" : "preload";
    if (link.rel === "preload") link.as = "script";
    link.href = script.src;
    document.head.append(link);
  };
  // A page brings its first sheet to a browser that has not kept it. It is fetched for the next time, and the server
  // told of it.
  const keepFirstSheet = async () => {
    const brought = document.querySelector("style[data-sheet]");
    if (!brought) return;
    const { sheet, key } = brought.dataset;
    const answer = await fetch(sheet, { priority: "low" }).catch(() => null);
    if (!answer?.ok) return;
    await answer.arrayBuffer();
    const kept = document.cookie.match(/(?:^|; )sheets=([^;]*)/)?.[1].split(".") ?? [];
    const keys = [key, ...kept.filter((other) => other !== key)].slice(0, 24);
    const attributes = `Path=/; Max-Age=31536000; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
    document.cookie = `sheets=${keys.join(".")}; ${attributes}`;
  };
  const wake = async () => {
    const named = [...document.querySelectorAll('script[type^="late"]')];
    named.forEach(fetchEarly);
    keepFirstSheet();
    const sheets = [...document.querySelectorAll('link[rel="late"]')].map(arrived);
    await Promise.race([Promise.all(sheets), new Promise((given) => setTimeout(given, LONG_MS))]); // as in any page
    let awaited = named.length;
    for (const { type, src } of named) {
      const script = document.createElement("script");
      if (type === "late-module") script.type = "module";
      script.async = false;
      script.src = src;
      script.onload = script.onerror = () => {
        awaited -= 1;
        if (awaited) return;
        delete root.dataset.scripts;
        document.dispatchEvent(new Event("scripts-run"));
      };
      document.body.append(script);
    }
  };
  document.addEventListener("DOMContentLoaded", async () => {
    await new Promise((drawn) => {
      if (document.hidden) drawn(); // nothing is drawn of a page in the background
      document.addEventListener("visibilitychange", drawn);
      new PerformanceObserver(drawn).observe({ type: "paint", buffered: true });
      setTimeout(drawn, LONG_MS);
    });
    wake();
  });
})();

// A tap on a button that is drawn before its script runs is kept, and given to it once all scripts have run:
// the tap itself of a button that only a script knows, the sending of a form of every other.
(() => {
  let again = null;
  const keep = (event, repeat) => {
    again = repeat;
    event.preventDefault();
    event.stopImmediatePropagation(); // a script that does run already would act twice
  };
  const keepTap = (event) => {
    const button = event.target.closest('button[type="button"]');
    if (button) keep(event, () => button.isConnected && button.click());
  };
  const keepSending = (event) => {
    const { target: form, submitter } = event;
    keep(event, () => form.isConnected && form.requestSubmit(submitter));
  };
  document.addEventListener("click", keepTap, true);
  document.addEventListener("submit", keepSending, true);
  document.addEventListener("scripts-run", () => {
    document.removeEventListener("click", keepTap, true);
    document.removeEventListener("submit", keepSending, true);
    again?.();
  });
})();
