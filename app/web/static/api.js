// One way to call the API from a page: session cookie, CSRF token, problem details as errors.

import { t } from "./i18n.js";

const AGAIN_MS = 1_000;
const PROVABLE = ["proof_needed", "session_locked"];

const kept = document.querySelector('meta[name="csrf-token"]');
export let csrfToken = kept?.content || "";

/** The token of another session of the same person, for whatever the page sends from now on. */
export function renewToken(token) {
  csrfToken = token;
  if (kept) kept.content = token;
  for (const field of document.querySelectorAll('[name="csrf_token"]')) field.value = token;
}

/** An answer that was no success; `message` is the problem's detail, ready to show. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || t("The request failed ({status}).", { status }));
    this.name = "ApiError";
    this.status = status;
    this.problem = problem;
  }
}

/** A key that names one act, however often it is sent; `randomUUID` is there in secure contexts only. */
export const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

/** Whether an answer asked who it is, and whoever sits here proved it: then the same request is let through. */
export async function isProven(status, problem) {
  if (status !== 403 || !PROVABLE.includes(problem?.code) || !document.getElementById("prove")) return false;
  const { prove } = await import("./prove.js");
  return prove(problem.code);
}

/**
 * Call `method` `url` with a JSON `body`; the answer's JSON (or null).
 * An act with an `Idempotency-Key` is sent once more if no answer came or the server was busy: it counts once.
 * Throws ApiError; its status is 0 if the server could not be reached.
 */
export async function api(method, url, body, { headers = {}, signal } = {}) {
  try {
    return await send(method, url, body, headers, signal);
  } catch (error) {
    if (!headers["Idempotency-Key"] || ![0, 503].includes(error.status)) throw error;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    return send(method, url, body, headers, signal);
  }
}

/**
 * Post `body` and read the server-sent events of the answer: `on(name, data)` for each as it comes.
 * Throws as `api` does; ends early when `signal` aborts.
 */
export async function stream(url, body, { signal, on }) {
  const response = await request("POST", url, body, { Accept: "text/event-stream" }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = Object.fromEntries(block.split(/\r?\n/).map((line) => line.split(/: (.*)/s)));
      if (lines.event) on(lines.event, JSON.parse(lines.data));
    }
  }
}

async function send(method, url, body, headers, signal) {
  const response = await request(method, url, body, headers, signal);
  return isJson(response) ? response.json() : null;
}

const isJson = (response) => response.status !== 204 && (response.headers.get("content-type") || "").includes("json");

/** The answer to a request that was a success. */
async function request(method, url, body, headers, signal) {
  const options = { method, credentials: "same-origin", signal, headers: { Accept: "application/json", ...headers } };
  if (csrfToken && method !== "GET") options.headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined && body !== null) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: t("No connection to the server.") });
  }
  if (!response.ok) {
    const answer = isJson(response) ? await response.json() : null;
    if (await isProven(response.status, answer)) return request(method, url, body, headers, signal);
    if (response.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    throw new ApiError(response.status, answer || { detail: t("The request failed ({status}).", { status: response.status }) });
  }
  return response;
}
