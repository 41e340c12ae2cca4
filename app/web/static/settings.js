// The platform's own numbers, as the page carries them: no script writes them a second time.

/** `{motion: {stopped_mps, free_mps}, silent_after_s}`. */
export const settings = JSON.parse(document.getElementById("settings").textContent);
