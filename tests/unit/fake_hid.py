"""A SpaceMouse without hardware: a library in the place of the system's hidapi, and devices for it to find."""

import os
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "hid_shim" / "fake_hidapi.c"


def build_library(folder):
    """Compile the library into a folder, for LD_LIBRARY_PATH."""
    name = "libhidapi-hidraw.so.0"
    command = ["gcc", "-shared", "-fPIC", "-O1", f"-Wl,-soname,{name}", "-o", str(folder / name), str(SOURCE)]
    subprocess.run(command, check=True)
    (folder / "libhidapi-hidraw.so").symlink_to(name)  # the linker is asked where the library is


class FakeSpaceMouse:
    """A device in the folder that FAKE_HID_DIR names. Mode 0 forbids to open it."""

    def __init__(self, folder, name="256f-c635-a", mode=0o600):
        self.path = Path(folder) / name
        os.mkfifo(self.path)
        os.chmod(self.path, mode)
        self.fifo = os.open(self.path, os.O_RDWR) if mode else -1

    def say(self, *report):
        os.write(self.fifo, bytes([len(report)]) + bytes(report))

    def push(self, x, y, z):
        """Right, towards the operator, down."""
        self.say(1, *struct.pack("<3h", x, y, z))

    def turn(self, x, y, z):
        self.say(2, *struct.pack("<3h", x, y, z))

    def buttons(self, mask):
        self.say(3, *struct.pack("<H", mask))

    def unplug(self):
        self.path.unlink()
