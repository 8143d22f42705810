#!/usr/bin/env bash
# The test command: installs what the tests need and the machine lacks, restores, builds, runs everything, and closes
# with one line "N passed, N failed, N skipped". Exits non-zero when anything failed or nothing ran.
# With --long, tests that can run longer do (tests/Support/TestLength.cs).
set -uo pipefail
cd "$(dirname "$0")" || exit 1
case "${1:-}" in
  "") ;;
  --long) export SERVICEMESH_LONG_TESTS=1 ;;
  *) echo "'$1' is not known. There is --long." >&2; exit 2 ;;
esac

command -v dotnet >/dev/null || { echo "The .NET 10 SDK is needed (dotnet on PATH)." >&2; exit 1; }

# Debian packages by the program they bring. Add a line here when a test starts a real server.
needed=()
need() { command -v "$1" >/dev/null || needed+=("$2"); }
need sort coreutils
need grep grep
need dnsmasq dnsmasq-base
need redis-server redis-server
need nats-server nats-server
need node nodejs
need npm npm
need curl curl
need nginx nginx-light
need haproxy haproxy
if [ ${#needed[@]} -gt 0 ]; then
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq "${needed[@]}" \
    || { echo "Could not install: ${needed[*]}" >&2; exit 1; }
fi

# What MessagePack is compared with: an npm package at the version of its lock file.
foreign=tests/Serialization.MessagePack.Tests/Foreign
[ -d "$foreign/node_modules/@msgpack/msgpack" ] || npm ci --prefix "$foreign" --ignore-scripts --no-audit --no-fund --silent \
  || { echo "Could not install the npm package of $foreign." >&2; exit 1; }

# A peer of the benchmarks, at the version of its lock file too.
peer=benchmarks/Compare/Moleculer
[ -d "$peer/node_modules/moleculer" ] || npm ci --prefix "$peer" --ignore-scripts --no-audit --no-fund --silent \
  || { echo "Could not install the npm packages of $peer." >&2; exit 1; }

# Indentation, spaces and line ends, by the rules of .editorconfig; `dotnet format whitespace . --folder` corrects them. The style
# rules are part of the build.
dotnet format whitespace . --folder --verify-no-changes \
  || { echo "The format differs: run 'dotnet format whitespace . --folder'."; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

dotnet build ServiceMesh.sln -c Release --nologo -v quiet || { echo "The build failed."; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# One project after the other: tests that measure must not compete for two cores.
status=0
for project in tests/*/*.Tests.csproj; do
  echo "== $project"
  dotnet test "$project" -c Release --no-build --nologo --logger "console;verbosity=minimal" \
    --logger "trx;LogFileName=$(basename "$project" .csproj).trx" --results-directory "$results" \
    --blame-hang-timeout 5m || status=1
done

# The counters of every result file: passed, failed (with errors, timeouts and aborts) and the rest of the total.
read -r passed failed skipped < <(cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*>' | awk '
  function value(name) { return match($0, name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3) : 0 }
  { t += value(" total"); p += value(" passed"); f += value(" failed") + value(" error") + value(" timeout") + value(" aborted") }
  END { printf "%d %d %d\n", p, f, t - p - f }')

[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1   # a run that crashed left no count of its own
[ "$((passed + failed))" -gt 0 ] || { echo "No test ran." >&2; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$status" = 0 ]
