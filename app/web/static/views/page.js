/** The page of an address. */

import { html } from "../ui/html.js";
import { useApp } from "../ui/context.js";
import { ArchivedPage } from "./archived.js";
import { FilterPage, NewFilterPage } from "./filter.js";
import { InboxPage } from "./inbox.js";
import { LabelPage, NewLabelPage } from "./label.js";
import { ListPage, NewListPage } from "./list.js";
import { SearchPage } from "./search.js";
import { lazy } from "../ui/lazy.js";
import { TodayPage } from "./today.js";
import { TrashPage } from "./trash.js";
import { UpcomingPage } from "./upcoming.js";

/** @type {Record<string, import("preact").FunctionComponent>} */
const PAGES = {
  today: TodayPage,
  upcoming: UpcomingPage,
  inbox: InboxPage,
  list: ListPage,
  "new-list": NewListPage,
  archived: ArchivedPage,
  label: LabelPage,
  "new-label": NewLabelPage,
  filter: FilterPage,
  "new-filter": NewFilterPage,
  search: SearchPage,
  trash: TrashPage,
  settings: lazy(() => import("./settings.js").then((module) => module.SettingsPage)),
};

export function Page() {
  const { route } = useApp();
  const Found = PAGES[route.page] ?? TodayPage;
  return html`<${Found} />`;
}
