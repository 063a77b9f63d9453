"""Any CSV: columns, dates, keys, and rows that are wrong."""

from tests.support.api_user import ApiUser
from tests.support.imports import counts, exported, imported


def test_three_bad_rows_of_500_leave_497_tasks_and_three_errors_with_their_lines(
    alice: ApiUser,
) -> None:
    lines = ["Task,Due,Priority"]
    lines += [f"Task {n},23/06/2025,high" for n in range(2, 502)]
    lines[9] = ",23/06/2025,high"
    lines[99] = "Task 100,31/02/2025,high"
    lines[399] = "Task 400,23/06/2025,eleven"
    report = imported(alice, "csv", "\r\n".join(lines))
    assert counts(report) == (500, 497, 0, 3)
    assert [(each["line"], each["field"]) for each in report["errors"]] == [
        (10, "title"), (100, "due"), (400, "priority"),
    ]  # fmt: skip
    assert len(exported(alice)["tasks"]) == 497
