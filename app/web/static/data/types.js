/**
 * The shapes of the API's items, and of what this client stores.
 *
 * @typedef {"task" | "list" | "label" | "filter"} Kind
 *
 * @typedef {object} Reminder
 * @property {string} [offset] an RFC 5545 duration, such as `-PT30M`
 * @property {"due" | "start"} [relative_to]
 * @property {string} [at] an instant
 * @property {boolean} [snooze]
 *
 * @typedef {object} Task
 * @property {string} id
 * @property {string} title
 * @property {string | null} description
 * @property {boolean} is_completed
 * @property {string | null} completed_at
 * @property {string | null} list_id null in the inbox
 * @property {string | null} parent_id
 * @property {string} position sorts by code units
 * @property {number} priority 0 none, 1 highest, 9 lowest
 * @property {string[]} label_ids
 * @property {string | null} due a local date, or a local date and time
 * @property {string | null} start
 * @property {string | null} time_zone null: the account's zone
 * @property {string | null} due_at the instant from which it is overdue
 * @property {string | null} recurrence an RFC 5545 rule
 * @property {"due" | "due_strict" | "completion"} recurrence_basis
 * @property {Reminder[]} reminders
 * @property {string} created_at
 * @property {string} updated_at
 * @property {number} version 0 until the server has it
 *
 * @typedef {object} List
 * @property {string} id
 * @property {string} title
 * @property {string | null} description
 * @property {string | null} color
 * @property {string} position
 * @property {string | null} archived_at
 * @property {number} version
 *
 * @typedef {object} Label
 * @property {string} id
 * @property {string} name
 * @property {string | null} color
 * @property {string} position
 * @property {number} version
 *
 * @typedef {object} Filter
 * @property {string} id
 * @property {string} title
 * @property {string} query
 * @property {string} sort
 * @property {string} position
 * @property {number} version
 *
 * @typedef {Task | List | Label | Filter} Item
 * @typedef {{task: Task, list: List, label: Label, filter: Filter}} ItemOf
 *
 * @typedef {object} User
 * @property {string} id
 * @property {string} email
 * @property {string | null} email_verified_at
 * @property {string} time_zone
 * @property {string} reminder_time
 * @property {boolean} mail
 * @property {boolean} has_second_factor
 *
 * @typedef {"create" | "update" | "complete" | "skip" | "move" | "delete" | "restore" | "archive" | "unarchive"} Verb
 *
 * A change that the user made and that waits to be sent. `id` is the server's, or a local one until
 * the server has made the item.
 * @typedef {object} Operation
 * @property {number} seq its place in the queue
 * @property {Kind} kind
 * @property {Verb} op
 * @property {string} id
 * @property {Record<string, unknown>} fields what it sets, as the API takes it
 * @property {Record<string, unknown>} was the values of these fields that the user saw
 * @property {number | null} if_version the version that the user saw; null: whatever it is now
 * @property {string | null} position where it is shown until the server has placed it
 * @property {Item[]} snapshots of a restore: the items that come back
 * @property {string | null} batch the idempotency key that it was sent with
 * @property {string} at when it was made
 *
 * @typedef {Omit<Operation, "seq" | "batch" | "at">} Intent
 *
 * A field whose text the server has in a newer version than the one that the user changed.
 * @typedef {object} Conflict
 * @property {string} key `kind:id:field`
 * @property {Kind} kind
 * @property {string} id
 * @property {string} field a field's name; empty if the operation as a whole was refused
 * @property {unknown} mine
 * @property {string} title of the item
 * @property {string} reason the server's words; empty for a newer version
 *
 * A change that was sent and may have been applied: sent again byte for byte until there is a response.
 * @typedef {object} SentBatch
 * @property {string} key the idempotency key
 * @property {string} body
 * @property {number[]} seqs
 *
 * What changed in the database of this browser.
 * @typedef {object} Changes
 * @property {Partial<Record<Kind, string[]>>} ids
 * @property {boolean} outbox
 * @property {boolean} conflicts
 */
export {};
