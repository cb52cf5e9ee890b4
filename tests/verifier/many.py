"""Runs decrees.py, which is verify.py and what holds add, many times in one process: a line of JSON in (its arguments), a line of JSON out (its answer)."""
import json
import sys

import decrees

for line in sys.stdin:
    print(json.dumps(decrees.main(json.loads(line))), flush=True)
