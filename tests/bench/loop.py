"""What the baselines share: commands on stdin, one JSON object per line, answers on stdout."""

import json
import sys
import traceback


def serve(commands):
    """Run ``commands[request["do"]](request)`` for each line, until stdin ends."""
    answers = sys.stdout
    # Whatever a library prints must not mix with the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = commands[request["do"]](request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
