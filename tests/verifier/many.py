"""Runs verify.py many times in one process: a line of JSON in (its arguments), a line of JSON out (its answer)."""
import json
import sys

import verify

for line in sys.stdin:
    print(json.dumps(verify.main(json.loads(line))), flush=True)
