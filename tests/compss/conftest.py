"""What the tests of applications share: the monitoring API's package."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The image's program is not installed here.
sys.path.insert(0, str(ROOT / "images" / "compss-monitoring"))
