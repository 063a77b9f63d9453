// Example program with the client that openapi-typescript types.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Task = components["schemas"]["Task"];

const baseUrl = process.argv[2] ?? "";
const client = createClient<paths>({ baseUrl });
const me = { user_id: "me" };

function expect<T>(response: { data?: T; error?: unknown }): T {
  if (response.data === undefined) throw new Error(JSON.stringify(response.error));
  return response.data;
}

const credentials = { email: process.argv[3] ?? "", password: "seven quiet rivers" };
expect(await client.POST("/api/auth/register", { body: credentials }));
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
expect(await client.POST("/api/auth/logout", { body: { refresh_token: session.refresh_token } }));

console.log(
  JSON.stringify({
    listed: listed.map((task) => task.title),
    completed: completed.is_completed,
    changed: feed.data.map((change) => change.item?.title ?? null),
    version: feed.meta.version,
  }),
);
