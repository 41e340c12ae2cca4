// The board renews itself (htmx asks every few seconds); here it says when that has not worked for a while, and starts
// afresh a few times a day, so that a screen that runs for weeks gets what has changed in the pages themselves.

const OLD_MS = 90_000;
const AFRESH_MS = 6 * 3600_000;
const LOOK_MS = 5000;

let seen = "";
let seenAt = Date.now();
const began = Date.now();

function look() {
  const board = document.getElementById("board");
  if (!board) return;
  if (board.dataset.madeAt !== seen) {
    seen = board.dataset.madeAt;
    seenAt = Date.now();
  }
  const isOld = Date.now() - seenAt > OLD_MS;
  board.classList.toggle("ck-board-stale", isOld);
  for (const note of board.querySelectorAll(".ck-board-old")) note.hidden = !isOld;
  if (!isOld && Date.now() - began > AFRESH_MS) location.reload(); // only while the server answers
}

look();
setInterval(look, LOOK_MS);
