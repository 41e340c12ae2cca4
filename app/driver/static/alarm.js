// What makes a driver look: tones, vibration, and the words read out where the phone has a voice.

const PATTERN_MS = [400, 200, 400, 200, 800];
const TONES_HZ = [880, 660, 880];
const TONE_S = 0.35;

let audio = null;

// A browser lets a page sound only after somebody touched it: the first touch opens the way.
addEventListener("pointerdown", () => context()?.resume(), { once: true });

function context() {
  const Audio = window.AudioContext;
  audio ??= Audio ? new Audio() : null;
  return audio;
}

/** Tones and vibration; `words`, where given, are read out in the page's language. */
export function sound(words = "") {
  navigator.vibrate?.(PATTERN_MS);
  ring();
  if (words && window.speechSynthesis) {
    const said = new SpeechSynthesisUtterance(words);
    said.lang = document.documentElement.lang;
    window.speechSynthesis.cancel();
    window.speechSynthesis.speak(said);
  }
  document.dispatchEvent(new CustomEvent("driver-alarm", { detail: { words } }));
}

function ring() {
  const playing = context();
  if (playing?.state !== "running") return; // nobody has touched the page yet
  TONES_HZ.forEach((pitch, i) => {
    const tone = new OscillatorNode(playing, { type: "square", frequency: pitch });
    const volume = new GainNode(playing, { gain: 0.4 });
    tone.connect(volume).connect(playing.destination);
    const start = playing.currentTime + i * TONE_S;
    tone.start(start);
    tone.stop(start + TONE_S * 0.8);
  });
}
