"""axe-core: checks the page that a browser shows against WCAG 2.2 AA."""

from typing import Any

from selenium import webdriver

from tests.web.tools import MODULES

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0], resultTypes: ["violations"]})
  .then((result) => done(result.violations), (error) => done([{id: String(error), nodes: []}]));
"""


def violations(browser: webdriver.Chrome) -> list[str]:
    """A line for each rule and element that breaks it.

    The script is evaluated by the browser's driver, whatever the page's policy allows.
    """
    source = (MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": source})
    found: list[dict[str, Any]] = browser.execute_async_script(RUN, RULES)
    return [
        f"{rule['id']}: {node['html']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"] or [{"html": "", "failureSummary": "not run"}]
    ]
