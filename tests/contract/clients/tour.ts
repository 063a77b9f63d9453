// Example program with the client that openapi-typescript types.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Task = components["schemas"]["Task"];
type Item = components["schemas"]["Change"]["item"];

const baseUrl = process.argv[2] ?? "";
const client = createClient<paths>({ baseUrl });
const me = { user_id: "me" };

function expect<T>(response: { data?: T; error?: unknown }): T {
  if (response.data === undefined) throw new Error(JSON.stringify(response.error));
  return response.data;
}

const credentials = { email: process.argv[3] ?? "", password: "seven quiet rivers" };
const account = { ...credentials, time_zone: "Europe/Madrid" };
expect(await client.POST("/api/auth/register", { body: account }));
const session = expect(await client.POST("/api/auth/login", { body: credentials })).data;
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${session.access_token}`);
    return request;
  },
});

const made: Task[] = [];
for (const title of ["one", "two", "three", "four", "five"]) {
  const params = { path: me, header: { "Idempotency-Key": title } };
  made.push(expect(await client.POST("/api/{user_id}/tasks", { params, body: { title } })).data);
}

const listed: Task[] = [];
let cursor: string | null = null;
do {
  const query: { limit: number; cursor?: string } = cursor === null ? { limit: 2 } : { limit: 2, cursor };
  const page: Pick<components["schemas"]["TaskPage"], "data" | "meta"> = expect(
    await client.GET("/api/{user_id}/tasks", { params: { path: me, query } }),
  );
  listed.push(...page.data);
  cursor = page.meta.next_cursor;
} while (cursor !== null);

const home = expect(
  await client.POST("/api/{user_id}/lists", { params: { path: me }, body: { title: "Home" } }),
).data;
const errand = expect(
  await client.POST("/api/{user_id}/labels", { params: { path: me }, body: { name: "Errand" } }),
).data;
const second = made[1];
if (second === undefined) throw new Error("no second task was created");
expect(
  await client.PATCH("/api/{user_id}/tasks/{task_id}", {
    params: { path: { ...me, task_id: second.id } },
    body: { list_id: home.id, label_ids: [errand.id], due: "2026-10-07T09:00" },
  }),
);
const day = "2026-10-07";
const query = { list_id: home.id, label: [errand.id], due_from: day, due_to: day };
const planned = expect(
  await client.GET("/api/{user_id}/tasks", { params: { path: me, query } }),
).data;

function name(item: Item): string | null {
  if (item === null || "reminder" in item) return null;
  return "name" in item ? item.name : item.title;
}

const known = expect(
  await client.GET("/api/{user_id}/changes", { params: { path: me, query: { limit: 1 } } }),
).meta;
const first = made[0];
if (first === undefined) throw new Error("no task was created");
const completed = expect(
  await client.PATCH("/api/{user_id}/tasks/{task_id}/complete", {
    params: { path: { ...me, task_id: first.id }, header: { "If-Match": `"${first.version}"` } },
    body: { is_completed: true },
  }),
).data;

const feed = expect(
  await client.GET("/api/{user_id}/changes", { params: { path: me, query: { since: known.sync_token } } }),
);
expect(await client.POST("/api/auth/logout", { body: { refresh_token: session.refresh_token! } }));

console.log(
  JSON.stringify({
    listed: listed.map((task) => task.title),
    planned: planned.map((task) => ({ title: task.title, due: task.due })),
    completed: completed.is_completed,
    changed: feed.data.map((change) => name(change.item)),
    version: feed.meta.version,
  }),
);
