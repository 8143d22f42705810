#!/usr/bin/env bash
# Makes the packages and their symbols into a folder: artifacts, or the one that is named. With --no-build, from what has been built in
# the configuration Release.
set -euo pipefail
root=$(cd "$(dirname "$0")" && pwd)

output=$root/artifacts
build=yes
for argument in "$@"; do
  case "$argument" in
    --no-build) build=no ;;
    -*) echo "'$argument' is not known. There is --no-build, and a folder." >&2; exit 2 ;;
    *) output=$argument ;;
  esac
done

mkdir -p "$output"
# Earlier packages of the default folder only: another one may hold those of others.
[ "$output" != "$root/artifacts" ] || rm -f "$output"/ServiceMesh*.nupkg "$output"/ServiceMesh*.snupkg
if [ "$build" = yes ]; then
  dotnet build "$root/packaging/Packages.slnf" -c Release --nologo -v quiet
fi
dotnet pack "$root/packaging/Packages.slnf" -c Release --no-build --nologo -v quiet -o "$output"
ls "$output"
