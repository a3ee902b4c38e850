"""The demo store: crash-safe writing, reading, checking and converting of demonstrations."""

from apprentice.demos.hdf5 import Tree
from apprentice.demos.parts import recover
from apprentice.demos.reader import DemoFile
from apprentice.demos.schema import Demo
from apprentice.demos.writer import DemoWriter

__all__ = ["Demo", "DemoFile", "DemoWriter", "Tree", "recover"]
