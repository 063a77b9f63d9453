/** Today: what is overdue, then what is due today. */

import { todayRows } from "../data/select.js";
import { longDay, today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { Heading } from "./heading.js";
import { QuickAdd } from "./quickadd.js";
import { TaskList } from "./tasklist.js";

export function TodayPage() {
  const { store, user } = useApp();
  const now = today(user.time_zone);
  return html`
    <${Heading} title=${strings.nav.today} note=${longDay(now)} />
    <${QuickAdd} place=${{ due: now }} />
    <${TaskList} rows=${todayRows(store, user.time_zone)} empty=${strings.tasks.empty.today} />
  `;
}
