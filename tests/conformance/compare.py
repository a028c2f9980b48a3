#!/usr/bin/env python3
"""Compares two result folders of the conformance suite, check by check.

    compare.py DIRECT GATEWAY [EXPECTED...]

Exit code 1 if a check that passed directly failed through the gateway, if its
scenario did not run there, or if no check passed directly: then nothing was
compared. The checks named as EXPECTED may fail.
"""

import collections
import glob
import json
import os
import re
import sys


def load(folder):
    """The statuses of every check, by scenario and check id, in their order."""
    checks = collections.defaultdict(list)
    for path in glob.glob(f"{folder}/*/checks.json"):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", os.path.basename(os.path.dirname(path)))
        with open(path) as file:
            for check in json.load(file):
                checks[scenario, check["id"]].append((check["status"], check.get("errorMessage")))
    return checks


direct, gateway, expected = load(sys.argv[1]), load(sys.argv[2]), sys.argv[3:]
worse = passed = 0
for name, statuses in sorted(direct.items()):
    for index, (status, _) in enumerate(statuses):
        if status != "SUCCESS":
            continue
        passed += 1
        found = gateway.get(name, [])
        through = found[index] if index < len(found) else ("MISSING", None)
        if through[0] == "SUCCESS":
            continue
        # A scenario leaves checks out that make no sense for the answer it got.
        ran = any(scenario == name[0] for scenario, _ in gateway)
        bad = (through[0] == "FAILURE" or not ran) and name[1] not in expected
        worse += bad
        print(f"{'WORSE' if bad else 'note'}: {' '.join(name)}: {through[0]}: {through[1]}")
counts = collections.Counter(status for statuses in gateway.values() for status, _ in statuses)
print(f"{passed} checks pass directly, {worse} of them fail through the gateway; through it: {dict(counts)}")
sys.exit(bool(worse or not passed))
