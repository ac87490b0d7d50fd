"""Validates a report against its JSON Schema, and shows that the schema refuses what is wrong.

usage: validate_report.py SCHEMA REPORT

Exit status 77: jsonschema cannot be imported.
"""

import copy
import json
import pathlib
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError as error:
    print(f"cannot import jsonschema: {error}")
    sys.exit(77)


def spoiled(report):
    """The report with one thing wrong, in several ways."""
    changes = [
        lambda r: r.update(version=2),
        lambda r: r.update(unknown=1),
        lambda r: r.pop("totals"),
        lambda r: r["takes"][0].update(verdict="fine"),
        lambda r: r["takes"][0]["sound"].update(clipped=1.5),
        lambda r: r["takes"][0]["playing"]["pitches"].pop(),
        lambda r: r["export"]["left_out"].update(weather=1),
    ]
    for change in changes:
        wrong = copy.deepcopy(report)
        change(wrong)
        yield wrong


def main(schema, report):
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(report)]
    accepted = [number for number, wrong in enumerate(spoiled(report)) if validator.is_valid(wrong)]
    print("\n".join(errors))
    if accepted:
        print(f"the schema accepts wrong reports: {accepted}")
    return bool(errors or accepted)


if __name__ == "__main__":
    sys.exit(main(*(json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:3])))
