#!/usr/bin/env bash
# Installs the Debian packages that pictures and browser tests need. Prints the command when it may not.
set -euo pipefail
packages=(libegl1 libgl1-mesa-dri libosmesa6 chromium gcc libc6-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Missing Debian packages. Run: sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
