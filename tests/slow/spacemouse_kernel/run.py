"""Reads a SpaceMouse through a real Linux kernel, without having one.

A small virtual machine boots Debian's kernel. In it `guest.py` makes a SpaceMouse with /dev/uhid, and the package
reads it: kernel -> /dev/hidraw0 -> hidapi -> easyhid -> pyspacemouse -> `SpaceMouse`. Only the device is stood in for.
The guest sees this machine's files, read-only, and runs this very interpreter.

Needs no KVM, no rights and no kernel modules of this machine, but these Debian packages, and takes one or two minutes:

    sudo apt-get install --no-install-recommends qemu-system-x86 busybox-static cpio kmod
    python tests/slow/spacemouse_kernel/run.py [FOLDER]

The kernel, hidapi and udev are downloaded with apt into FOLDER, or a temporary one, and unpacked there; nothing of them
is installed.
"""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WANTED = ("virtio_pci", "9pnet_virtio", "9p", "hid-generic", "uhid")
MODULES = ("drivers/hid", "drivers/virtio", "fs/9p", "fs/fscache", "fs/netfs", "net/9p")
"""Folders of the kernel's modules that these and what they need are in."""
LIMIT_S = 300.0
PASSED = "SPACEMOUSE PASSED"

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read module; do insmod /modules/$module || poweroff -f; done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host || poweroff -f
mount -t proc proc /host/proc
mount -t sysfs sysfs /host/sys
mount -t devtmpfs dev /host/dev
mkdir -p /host/dev/shm
mount -t tmpfs tmp /host/dev/shm
mount -t tmpfs run /host/run
chroot /host /usr/bin/env -i {environment} {command}
poweroff -f
"""


def main() -> int:
    missing = [name for name in ("qemu-system-x86_64", "busybox", "cpio", "depmod", "apt-get") if not _which(name)]
    if missing:
        print(f"Expected {', '.join(missing)} on this machine, found none. See the top of {Path(__file__).name}.")
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        kernel, modules = _kernel(folder)
        udevadm = next(_unpacked(folder, "udev", "./bin/udevadm").rglob("udevadm"))
        initrd = _initrd(folder, modules, _hidapi(folder), udevadm)
        start = time.monotonic()
        said = _boot(kernel, initrd)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        passed = PASSED in said
        print(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s, ", end="")
        print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time, preparation included")
    return 0 if passed else 1


def _kernel(folder: Path) -> tuple[Path, Path]:
    """Debian's kernel and the folder of its modules."""
    asked = _output("apt-cache", "depends", "linux-image-amd64")
    package = next(word for word in asked.split() if word.startswith("linux-image-") and word != "linux-image-amd64")
    unpacked = _unpacked(folder, package, "./boot/vmlinuz-*", *(f"./lib/modules/*/kernel/{name}" for name in MODULES))
    kernel = next(unpacked.glob("boot/vmlinuz-*"))
    version = kernel.name.removeprefix("vmlinuz-")
    subprocess.run([_which("depmod"), "-b", str(unpacked), version], check=True, stderr=subprocess.DEVNULL)
    return kernel, unpacked / "lib" / "modules" / version


def _hidapi(folder: Path) -> Path:
    """The folder of the system library."""
    unpacked = _unpacked(folder, "libhidapi-hidraw0", "./usr/lib")
    library = next(unpacked.rglob("libhidapi-hidraw.so.0"))
    link = library.with_suffix("")
    if not link.exists():
        link.symlink_to(library.name)  # where a library is not installed, the linker is asked for it
    return library.parent


def _unpacked(folder: Path, package: str, *paths: str) -> Path:
    """Files of a Debian package, downloaded unless they are there."""
    place = folder / package
    if not place.exists():
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        (archive,) = folder.glob(f"{package}_*.deb")
        # complete or not there
        started = folder / f"{package}.new"
        started.mkdir(exist_ok=True)
        with subprocess.Popen(["dpkg", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as tar:
            command = ["tar", "-x", "-C", str(started), "--wildcards", *paths]
            subprocess.run(command, stdin=tar.stdout, check=True, stderr=subprocess.DEVNULL)
        archive.unlink()
        started.rename(place)
    return place


def _initrd(folder: Path, modules: Path, library: Path, udevadm: Path) -> Path:
    """What the guest starts from: busybox, the modules in the order in which they are needed, and `INIT`."""
    tree = folder / "initrd"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "modules", "proc", "sys", "dev", "host"):
        (tree / name).mkdir(parents=True)
    shutil.copy(_which("busybox"), tree / "bin" / "busybox")
    order = _in_order(modules)
    for path in order:
        shutil.copy(modules / path, tree / "modules")
    (tree / "modules" / "order").write_text("".join(f"{Path(path).name}\n" for path in order))
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ROOT / "source",
        "PYTHONDONTWRITEBYTECODE": 1,
        "OMP_NUM_THREADS": 1,
        "LD_LIBRARY_PATH": library,
        "TMPDIR": "/dev/shm",
    }
    words = " ".join(shlex.quote(f"{key}={value}") for key, value in environment.items())
    command = shlex.join([sys.executable, str(HERE / "guest.py"), str(udevadm), PASSED])
    init = tree / "init"
    init.write_text(INIT.format(environment=words, command=command))
    init.chmod(0o755)
    listing = "\n".join(str(path.relative_to(tree)) for path in [tree, *sorted(tree.rglob("*"))])
    archive = folder / "initrd.cpio"
    with archive.open("wb") as file:
        command = ["cpio", "-o", "-H", "newc", "--quiet"]
        subprocess.run(command, cwd=tree, input=listing.encode(), stdout=file, check=True)
    return archive


def _in_order(modules: Path) -> list[str]:
    """Modules to load, each after those that it needs."""
    lines = [line.split(":") for line in (modules / "modules.dep").read_text().splitlines()]
    needs = {path: needed.split() for path, needed in lines}
    by_name = {Path(path).name.split(".")[0]: path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        for needed in reversed(needs[path]):
            add(needed)
        if path not in order:
            order.append(path)

    for name in WANTED:
        add(by_name[name])
    return order


def _boot(kernel: Path, initrd: Path) -> str:
    """Run the guest until it turns itself off. What it said."""
    options = {
        "-machine": "pc,accel=tcg",
        "-cpu": "max",
        "-smp": "1",
        "-m": "768",
        "-kernel": kernel,
        "-initrd": initrd,
        "-append": "console=ttyS0 quiet panic=-1",
        "-serial": "stdio",
        "-fsdev": "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device": "virtio-9p-pci,fsdev=host,mount_tag=host",
    }
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    command += [str(word) for option in options.items() for word in option]
    said: list[str] = []
    # one core is enough, and others may be measuring
    pin = {min(os.sched_getaffinity(0))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace"
    ) as guest:
        assert guest.stdout is not None
        os.sched_setaffinity(guest.pid, pin)
        until = time.monotonic() + LIMIT_S
        try:
            for line in guest.stdout:
                said.append(line)
                print(line, end="", flush=True)
                if time.monotonic() > until:
                    break
        finally:
            guest.kill()
    return "".join(said)


def _which(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
