"""What an API token may do: the scope of every operation.

A session that began with a log-in may do everything. No scope includes another one.
"""

from collections.abc import Mapping

TASKS_READ, TASKS_WRITE = "tasks:read", "tasks:write"  # lists, labels and filters with them
WEBHOOKS, ACCOUNT_READ = "webhooks", "account:read"
SCOPES = (TASKS_READ, TASKS_WRITE, WEBHOOKS, ACCOUNT_READ)

TASKS_ANY = f"{TASKS_READ} {TASKS_WRITE}"  # one of them is enough to call; each tool needs its own
SESSION = "session"  # no API token may do it, whatever its scopes
PUBLIC = "public"  # needs no token

# By endpoint: all methods that one takes need the same scope.
OPERATIONS: Mapping[str, str] = {
    "auth.register": PUBLIC,
    "auth.login": PUBLIC,
    "auth.refresh_session": PUBLIC,
    "auth.logout": PUBLIC,
    "account.get_me": ACCOUNT_READ,
    "account.update_me": SESSION,
    "account.change_password": SESSION,
    "account.erase_me": SESSION,
    "account.set_up_second_factor": SESSION,
    "account.confirm_second_factor": SESSION,
    "account.remove_second_factor": SESSION,
    "account.list_sessions": SESSION,
    "account.end_session": SESSION,
    "links.confirm_verification": PUBLIC,
    "links.confirm_email_change": PUBLIC,
    "links.request_reset": PUBLIC,
    "links.confirm_reset": PUBLIC,
    "account_links.send_verification": SESSION,
    "account_links.request_email_change": SESSION,
    "account.list_tokens": SESSION,
    "account.create_token": SESSION,
    "account.end_token": SESSION,
    "tasks.list_tasks": TASKS_READ,
    "tasks.create_task": TASKS_WRITE,
    "tasks.get_task": TASKS_READ,
    "tasks.update_task": TASKS_WRITE,
    "tasks.complete_task": TASKS_WRITE,
    "tasks.skip_task": TASKS_WRITE,
    "tasks.move_task": TASKS_WRITE,
    "tasks.delete_task": TASKS_WRITE,
    "tasks.restore_task": TASKS_WRITE,
    "tasks.list_trash": TASKS_READ,
    "tasks.list_history": TASKS_READ,
    "tasks.list_completions": TASKS_READ,
    "lists.list_lists": TASKS_READ,
    "lists.create_list": TASKS_WRITE,
    "lists.get_list": TASKS_READ,
    "lists.update_list": TASKS_WRITE,
    "lists.move_list": TASKS_WRITE,
    "lists.archive_list": TASKS_WRITE,
    "lists.unarchive_list": TASKS_WRITE,
    "lists.delete_list": TASKS_WRITE,
    "lists.restore_list": TASKS_WRITE,
    "lists.list_trash": TASKS_READ,
    "lists.list_history": TASKS_READ,
    "labels.list_labels": TASKS_READ,
    "labels.create_label": TASKS_WRITE,
    "labels.get_label": TASKS_READ,
    "labels.update_label": TASKS_WRITE,
    "labels.move_label": TASKS_WRITE,
    "labels.delete_label": TASKS_WRITE,
    "labels.restore_label": TASKS_WRITE,
    "labels.list_trash": TASKS_READ,
    "labels.list_history": TASKS_READ,
    "filters.list_filters": TASKS_READ,
    "filters.create_filter": TASKS_WRITE,
    "filters.get_filter": TASKS_READ,
    "filters.update_filter": TASKS_WRITE,
    "filters.move_filter": TASKS_WRITE,
    "filters.delete_filter": TASKS_WRITE,
    "filters.restore_filter": TASKS_WRITE,
    "filters.list_trash": TASKS_READ,
    "filters.list_history": TASKS_READ,
    "webhooks.list_webhooks": WEBHOOKS,
    "webhooks.create_webhook": WEBHOOKS,
    "webhooks.get_webhook": WEBHOOKS,
    "webhooks.update_webhook": WEBHOOKS,
    "webhooks.delete_webhook": WEBHOOKS,
    "webhooks.rotate_secret": WEBHOOKS,
    "webhooks.replay_events": WEBHOOKS,
    "webhooks.list_attempts": WEBHOOKS,
    "feeds.list_feeds": TASKS_READ,
    "feeds.create_feed": TASKS_READ,
    "feeds.delete_feed": TASKS_READ,
    "calendar.get_calendar": PUBLIC,  # the secret in its address is its token
    "events.stream_events": TASKS_READ,
    "kinds.list_changes": TASKS_READ,
    "kinds.apply_batch": TASKS_WRITE,
    "kinds.export_items": TASKS_READ,
    "imports.list_imports": TASKS_ANY,
    "imports.create_import": TASKS_WRITE,
    "imports.get_import": TASKS_ANY,
    "imports.list_rows": TASKS_ANY,
    "imports.delete_import": TASKS_WRITE,
    "mcp.answer": TASKS_ANY,
    "system.index": PUBLIC,
    "system.livez": PUBLIC,
    "system.readyz": PUBLIC,
    "system.metrics": PUBLIC,  # has a token of its own, METRICS_TOKEN
    "docs.openapi": PUBLIC,
    "docs.page": PUBLIC,
    "docs.page_file": PUBLIC,
    "web.without_slash": PUBLIC,
    "web.page": PUBLIC,
    "web.page_file": PUBLIC,
    "web.folder_file": PUBLIC,
}


def suffice(scopes: frozenset[str], needed: str) -> bool:
    """Whether an API token with these scopes may do what needs that one, or one of several."""
    return not scopes.isdisjoint(needed.split(" "))
