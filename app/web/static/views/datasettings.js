/** Export, and import with its report. */

import { useState } from "preact/hooks";
import { today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { ApiError } from "../net/api.js";
import { authorized, request } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { useRequest } from "../ui/remote.js";
import { FormError } from "./entry.js";
import { SelectField } from "./fields.js";

const texts = strings.settings.data;
const POLL_MS = 500;
/** An export may take longer than other requests. */
const EXPORT_MS = 120_000;

export function DataSettings() {
  return html`<${ExportSection} /><${ImportSection} />`;
}

function ExportSection() {
  const { user } = useApp();
  const [format, setFormat] = useState("json");
  const { isBusy, error, run } = useRequest();
  const download = () =>
    run(async () => {
      const response = await authorized("GET", `/api/me/export?format=${format}`, { signal: AbortSignal.timeout(EXPORT_MS) });
      const url = URL.createObjectURL(await response.blob());
      const link = document.createElement("a");
      link.href = url;
      link.download = `ownrow-${today(user.time_zone)}.${format}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    });
  return html`
    <section>
      <h2>${texts.export}</h2>
      <p>${texts.exportLead}</p>
      <${SelectField} label=${strings.settings.data.export} value=${format} options=${texts.formats} onChange=${setFormat} />
      <${FormError} error=${error} />
      <button type="button" disabled=${isBusy} onClick=${() => void download()}>${texts.download}</button>
    </section>
  `;
}

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {"queued" | "running" | "done" | "failed"} state
 * @property {string | null} message
 * @property {number} percent
 * @property {Note[]} errors
 * @property {Note[]} warnings
 *
 * @typedef {{line: number | null, field: string, message: string}} Note
 */

function ImportSection() {
  const [source, setSource] = useState("ownrow");
  const [file, setFile] = useState(/** @type {File | null} */ (null));
  const [isDry, setDry] = useState(true);
  const [job, setJob] = useState(/** @type {Job | null} */ (null));
  const { isBusy, error, run } = useRequest();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      if (!file) throw new ApiError(422, "", texts.noFile, [], 0);
      setJob(null);
      /** @type {Record<string, string>} */
      const headers = file.type ? {} : { "Content-Type": "application/octet-stream" };
      const response = await authorized("POST", `/api/me/imports?source=${source}&dry_run=${isDry}`, { file, headers, signal: AbortSignal.timeout(EXPORT_MS) });
      let found = /** @type {Job} */ ((await response.json()).data);
      setJob(found);
      while (isRunning(found)) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        found = (await request("GET", `/api/me/imports/${found.id}`)).data;
        setJob(found);
      }
    });
  };
  return html`
    <section>
      <h2>${texts.import}</h2>
      <form onSubmit=${submit}>
        <${SelectField} label=${texts.source} value=${source} options=${texts.sources} onChange=${setSource} />
        <div class="field">
          <label for="import-file">${texts.file}</label>
          <input id="import-file" type="file" onChange=${(/** @type {Event} */ event) => setFile(/** @type {HTMLInputElement} */ (event.currentTarget).files?.[0] ?? null)} />
        </div>
        <label class="switch-line"><input type="checkbox" role="switch" checked=${isDry} onChange=${() => setDry(!isDry)} /> ${texts.dryRun}</label>
        <${FormError} error=${error} />
        <button type="submit" class="primary" disabled=${isBusy}>${texts.start}</button>
      </form>
      <div role="status">${job && (isRunning(job) ? html`<p>${texts.running(job.percent)}</p>` : html`<${Report} job=${job} />`)}</div>
    </section>
  `;
}

/** @param {Job} job */
function isRunning({ state }) {
  return state === "queued" || state === "running";
}

/** @param {{job: Job}} props */
function Report({ job }) {
  const counts = /** @type {Record<string, number>} */ (/** @type {unknown} */ (job));
  return html`
    <h3>${texts.report}</h3>
    ${job.state === "failed" && html`<p class="error">${job.message ?? texts.failed}</p>`}
    <dl class="counts">
      ${Object.entries(texts.counts).map(([name, text]) => html`<div key=${name}><dt>${text}</dt><dd>${counts[name] ?? 0}</dd></div>`)}
    </dl>
    <ul role="list" class="entries">
      ${[...job.errors, ...job.warnings].map(
        (note, place) => html`<li key=${place}><span dir="auto">${[note.line && texts.row(note.line), note.field, note.message].filter(Boolean).join(": ")}</span></li>`,
      )}
    </ul>
  `;
}
