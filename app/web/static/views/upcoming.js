/** Upcoming: the tasks from tomorrow on, by day. */

import { upcomingRows } from "../data/select.js";
import { addDays, today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { Heading } from "./heading.js";
import { QuickAdd } from "./quickadd.js";
import { TaskList } from "./tasklist.js";

export function UpcomingPage() {
  const { store, user } = useApp();
  return html`
    <${Heading} title=${strings.nav.upcoming} />
    <${QuickAdd} place=${{ due: addDays(today(user.time_zone), 1) }} />
    <${TaskList} rows=${upcomingRows(store, user.time_zone)} empty=${strings.tasks.empty.upcoming} />
  `;
}
