/** The inbox: the tasks without a list. */

import { useState } from "preact/hooks";
import { listRows } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { CompletedSwitch, Heading } from "./heading.js";
import { QuickAdd } from "./quickadd.js";
import { TaskList } from "./tasklist.js";

export function InboxPage() {
  const { store } = useApp();
  const [withCompleted, setWithCompleted] = useState(false);
  return html`
    <${Heading} title=${strings.nav.inbox}><${CompletedSwitch} isOn=${withCompleted} onChange=${setWithCompleted} /><//>
    <${QuickAdd} />
    <${TaskList} rows=${listRows(store, null, withCompleted)} isOrdered showsList=${false} empty=${strings.tasks.empty.inbox} />
  `;
}
