/** Requests to the API, and what may come back. */

import { strings } from "../lang/strings.js";

/**
 * @typedef {{field: string, message: string}} Detail
 * @typedef {{sync_token: string, has_more: boolean, version: number, next_cursor: string | null}} Meta
 * @typedef {{data: any, meta: Meta, etag: string | null}} Answer
 *
 * @typedef {object} RequestOptions
 * @property {unknown} [body] sent as JSON
 * @property {string} [text] sent as it is, as JSON
 * @property {Blob} [file] sent with its own media type
 * @property {string | null} [token] an access token
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

const TIMEOUT_MS = 20_000;

/** The server said no. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code such as `VALIDATION_FAILED`
   * @param {string} message in words
   * @param {Detail[]} details the broken fields
   * @param {number} retryAfter seconds; 0 if the server named none
   */
  constructor(status, code, message, details, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. */
  get isTemporary() {
    return this.status >= 500 || this.status === 429 || this.status === 408 || this.code === "IDEMPOTENCY_IN_FLIGHT";
  }

  /** The message with those of the broken fields. */
  get text() {
    if (this.code === "VALIDATION_FAILED" && this.details.length > 0) {
      return this.details.map((detail) => detail.message).join(" ");
    }
    return this.message;
  }
}

/** No response: offline, or the server is away. */
export class Unreachable extends Error {}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<Response>} one whose status is below 400
 * @throws {ApiError | Unreachable}
 */
export async function send(method, path, options = {}) {
  const headers = new Headers(options.headers);
  if (options.token) headers.set("Authorization", `Bearer ${options.token}`);
  /** @type {BodyInit | undefined} */
  let body = options.file;
  if (options.body !== undefined || options.text !== undefined) {
    headers.set("Content-Type", "application/json");
    body = options.text ?? JSON.stringify(options.body);
  }
  const signal = options.signal ?? AbortSignal.timeout(TIMEOUT_MS);
  let response;
  try {
    response = await fetch(path, { method, headers, body: body ?? null, signal, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    throw new Unreachable(strings.errors.unreachable, { cause: error });
  }
  if (response.status >= 400) throw await refusal(response);
  return response;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<Answer>}
 * @throws {ApiError | Unreachable}
 */
export async function call(method, path, options = {}) {
  const response = await send(method, path, options);
  let envelope;
  try {
    envelope = await response.json();
  } catch (error) {
    throw new Unreachable(strings.errors.unreachable, { cause: error }); // the connection was cut
  }
  return { data: envelope.data, meta: envelope.meta, etag: response.headers.get("ETag") };
}

/** @param {Response} response */
async function refusal(response) {
  const retryAfter = Number(response.headers.get("Retry-After") ?? 0) || 0;
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error.code, error.message, error.details, retryAfter);
  } catch {
    return new ApiError(response.status, "", strings.errors.unexpected(response.status), [], retryAfter);
  }
}

/** @param {unknown} error */
export function messageOf(error) {
  if (error instanceof ApiError) return error.text;
  if (error instanceof Error) return error.message;
  return String(error);
}
