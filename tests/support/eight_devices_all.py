"""Everything that the tests of tests/multidevice compare, in one process.

    python tests/support/eight_devices_all.py FOLDER

Needs XLA_FLAGS=--xla_force_host_platform_device_count=8; writes a folder a part.
"""

import sys
from pathlib import Path

import eight_devices
import eight_devices_images
import eight_devices_omni

if __name__ == "__main__":
    for name, part in (
        ("tables", eight_devices),
        ("images", eight_devices_images),
        ("omni", eight_devices_omni),
    ):
        folder = Path(sys.argv[1], name)
        folder.mkdir()
        part.main(folder)
