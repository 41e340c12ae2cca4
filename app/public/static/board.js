// The board renews itself (htmx asks every few seconds); here it says when that has not worked for a while, and starts
// afresh a few times a day, so that a screen that runs for weeks gets what has changed in the pages themselves. It loads
// itself again only while the server answers: what could not be loaded would never come back.

const OLD_MS = 90_000;
const AFRESH_MS = 6 * 3600_000;
const AGAIN_MS = 60_000;
const LOOK_MS = 5000;

let seen = "";
let seenAt = Date.now();
let began = Date.now();

async function startAfresh() {
  began += AGAIN_MS;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) location.reload();
  } catch {
    // the server is away; the next time
  }
}

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
  if (!isOld && Date.now() - began > AFRESH_MS) startAfresh();
}

look();
setInterval(look, LOOK_MS);
