"""Judge the share of branches alone: coverage's own bound counts lines and branches together.

    python tools/branches.py

Reads the data that `coverage combine` left; the bound is coverage's own, ``fail_under``.
"""

import json
import sys
from tempfile import NamedTemporaryFile

from coverage import Coverage

if __name__ == "__main__":
    measured = Coverage()
    measured.load()
    with NamedTemporaryFile() as report:
        measured.json_report(outfile=report.name)
        share = json.load(report)["totals"]["percent_branches_covered"]
    print(f"branches alone: {share:.2f} %")
    sys.exit(share < measured.get_option("report:fail_under"))
