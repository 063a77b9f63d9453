/** Keyboard shortcuts of a whole page; those of a list of tasks are in `views/tasklist.js`. */

const KEY = "ownrow.shortcuts";
const SEQUENCE_MS = 1_500;

/** Shortcuts of a single key can be switched off (WCAG 2.1.4). */
export function areShortcutsOn() {
  return localStorage.getItem(KEY) !== "off";
}

/** @param {boolean} isOn */
export function switchShortcuts(isOn) {
  if (isOn) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, "off");
}

/**
 * Whether the user is writing, so that a letter is a letter.
 * @param {EventTarget | null} target
 */
export function isWriting(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "submit"].includes(target.type);
  return target.isContentEditable || target.matches("textarea, select");
}

/**
 * @param {Record<string, () => void>} actions by key, such as `q`, `g t` or `Ctrl+z`
 * @returns {() => void} stop
 */
export function bindKeys(actions) {
  let prefix = "";
  let prefixUntil = 0;
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isWriting(event.target) || event.altKey || (!isCommand && !areShortcutsOn())) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = isCommand ? `Ctrl+${key}` : Date.now() < prefixUntil ? `${prefix} ${key}` : key;
    prefixUntil = 0;
    const action = actions[name];
    if (action) {
      event.preventDefault();
      action();
    } else if (Object.keys(actions).some((each) => each.startsWith(`${name} `))) {
      prefix = name;
      prefixUntil = Date.now() + SEQUENCE_MS;
    }
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
