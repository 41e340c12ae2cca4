// The phone's camera reads a QR code: the browser's own detector where it has one, else jsQR, fetched when needed.

import { t } from "../i18n.js";

const WIDTH = 640;
const EVERY_MS = 150;

async function makeReader(jsqrUrl) {
  if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video))[0]?.rawValue ?? null;
  }
  const jsQR = await loadJsQr(jsqrUrl);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (video) => {
    canvas.width = WIDTH;
    canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    return jsQR(image.data, image.width, image.height, { inversionAttempts: "dontInvert" })?.data || null;
  };
}

function loadJsQr(url) {
  if (window.jsQR) return Promise.resolve(window.jsQR);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.jsQR);
    script.onerror = () => reject(new Error(url));
    document.head.append(script);
  });
}

/** Show `dialog` with the camera's picture until a code is read or the person cancels; the code or null. */
export async function openCamera(dialog, jsqrUrl) {
  const video = dialog.querySelector("video");
  const said = dialog.querySelector("[role=status]");
  said.textContent = t("Looking for a QR code…");
  dialog.showModal();
  let stream = null;
  try {
    const [read, opened] = await Promise.all([
      makeReader(jsqrUrl),
      navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } }),
    ]);
    stream = opened;
    video.srcObject = stream;
    await video.play();
    while (dialog.open) {
      const text = video.videoWidth ? await read(video).catch(() => null) : null;
      if (text) {
        navigator.vibrate?.(60);
        return text;
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  } catch (error) {
    said.textContent = t("The camera cannot be used: {reason}", { reason: error.message || error.name });
    if (dialog.open) await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    dialog.close();
  }
  return null;
}
