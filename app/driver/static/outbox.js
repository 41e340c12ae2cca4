// Fixes that still have to be sent: kept in IndexedDB, so that neither a dead spot nor a closed page loses one.
// Used by the page and by the service worker alike.

const NAME = "cuakhau-driver";
const STORE = "fixes";
const BATCH = 500;
const KEEP = 20_000; // a day of fixes every five seconds; older ones give way

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function within(mode, work) {
  const db = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    db.close();
  }
}

/** Keep a fix, an object of the public batch format, until it is acknowledged. */
export async function keep(fix) {
  await within("readwrite", (store) => store.add({ fix }));
  const waiting = await count();
  if (waiting > KEEP) {
    const oldest = await take(waiting - KEEP);
    await drop(oldest);
  }
}

/** How many fixes wait to be sent. */
export const count = () => within("readonly", (store) => store.count());

const take = (limit) => within("readonly", (store) => store.getAll(null, limit));

const drop = (rows) =>
  within("readwrite", (store) => {
    let last;
    for (const row of rows) last = store.delete(row.id);
    return last;
  });

/** The server no longer knows this phone: it was revoked and has to be enrolled again. */
export class UnknownDevice extends Error {}

let sending = null;

/**
 * Send what waits, oldest first; how many were acknowledged. What the server accepted or refused for good is
 * dropped, what did not reach it stays. Calls that overlap share one run.
 */
export function send() {
  sending ||= sendAll().finally(() => (sending = null));
  return sending;
}

async function sendAll() {
  let sent = 0;
  for (;;) {
    const rows = await take(BATCH);
    if (!rows.length) return sent;
    const response = await fetch("/gps/batch", {
      method: "POST",
      credentials: "omit", // the device identifier in each line is the credential
      headers: { "Content-Type": "application/x-ndjson" },
      body: rows.map((row) => JSON.stringify(row.fix)).join("\n"),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const { refused } = await response.json();
    await drop(rows);
    if (refused.some(({ reason }) => reason === "unknown_device")) throw new UnknownDevice();
    sent += rows.length - refused.length;
  }
}
