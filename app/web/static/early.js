// Style sheets that are not needed to read a page hold back nothing: they are for every medium once it is drawn.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll("link[data-late]")) link.media = "all";
});

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
  document.addEventListener("DOMContentLoaded", () => {
    document.removeEventListener("click", keepTap, true);
    document.removeEventListener("submit", keepSending, true);
    again?.();
  });
})();
