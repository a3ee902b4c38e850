"""The demo store: crash-safe writing, reading, checking and converting of demonstrations."""

from apprentice.demos.additions import AddingCopy, write_addition
from apprentice.demos.checks import Finding, Report, check_file
from apprentice.demos.edit import set_demo_attrs, write_annotations
from apprentice.demos.hdf5 import Tree
from apprentice.demos.legacy import convert_legacy
from apprentice.demos.merge import merge
from apprentice.demos.parts import recover
from apprentice.demos.provenance import Certificate, demo_attrs, timestamp, versions
from apprentice.demos.reader import DemoFile, require_readable
from apprentice.demos.schema import EXECUTED, Demo
from apprentice.demos.writer import DemoWriter

__all__ = [
    "EXECUTED",
    "AddingCopy",
    "Certificate",
    "Demo",
    "DemoFile",
    "DemoWriter",
    "Finding",
    "Report",
    "Tree",
    "check_file",
    "convert_legacy",
    "demo_attrs",
    "merge",
    "recover",
    "require_readable",
    "set_demo_attrs",
    "timestamp",
    "versions",
    "write_addition",
    "write_annotations",
]
