// A keyboard scanner types a whole code within a few hundredths of a second and ends it with Enter; people do not.

const GAP_MS = 60;
const FEWEST = 6;

/** Call `found(text)` for what a scanner types while no field has the focus. */
export function listenForScanner(found) {
  let text = "";
  let last = 0;
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.altKey || event.metaKey) return;
    const isFast = event.timeStamp - last < GAP_MS;
    last = event.timeStamp;
    if (event.key === "Enter") {
      if (isFast && text.length >= FEWEST) {
        event.preventDefault(); // it would press the button that has the focus
        found(text);
      }
      text = "";
    } else if (event.key.length === 1) {
      text = isFast ? text + event.key : event.key;
      if (isFast && event.key === " ") event.preventDefault();
    }
  });
}
