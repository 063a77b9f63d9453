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

/** @typedef {{state?: string, status?: string, report?: any, [name: string]: any}} Job */

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
      let found = (await response.json()).data;
      const path = response.headers.get("Location") ?? `/api/me/imports/${found.id}`;
      while (isRunning(found)) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        found = (await request("GET", path)).data;
      }
      setJob(found);
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
      <div role="status">${isBusy && html`<p>${texts.running}</p>`}${job && html`<${Report} job=${job} />`}</div>
    </section>
  `;
}

/** @param {Job} job */
function isRunning(job) {
  return ["queued", "pending", "waiting", "running"].includes(job.status ?? job.state ?? "");
}

/** @param {{job: Job}} props */
function Report({ job }) {
  const report = job.report ?? job;
  const listed = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : []);
  const rows = [...listed(report.errors), ...listed(report.warnings)];
  const countOf = (/** @type {unknown} */ value) => (Array.isArray(value) ? value.length : Number(value ?? 0));
  return html`
    <h3>${texts.report}</h3>
    <dl class="counts">
      ${Object.entries(texts.counts).map(([name, text]) => html`<div key=${name}><dt>${text}</dt><dd>${countOf(report[name])}</dd></div>`)}
    </dl>
    <ul role="list" class="entries">
      ${rows.map((/** @type {any} */ row, place) => html`<li key=${place}><span dir="auto">${row.row === undefined ? "" : `${texts.row(row.row)}: `}${row.message ?? String(row)}</span></li>`)}
    </ul>
  `;
}
