#!/usr/bin/env bash
# The daily run: fetch the last days, write every day that is new or was still open, build the site.
# Called by .github/workflows/daily-digest.yml and runs the same way anywhere; docs/publish.md explains it.
#
# Environment: EDITIONS and SITE (folders), DATE (one day instead of the last DAYS), DAYS (default 7),
# LANGUAGES (default "zh en"), ENGINE (default extractive), BASE_URL (address of the site).
# Ends with 0 when everything went well or fell back as designed, 1 when a day failed; the rest is done first.
set -euo pipefail

: "${EDITIONS:?folder of the editions}" "${SITE:?folder for the site}"
DATE="${DATE:-}" DAYS="${DAYS:-7}" LANGUAGES="${LANGUAGES:-zh en}" ENGINE="${ENGINE:-extractive}"

if [[ -n "$DATE" && ! "$DATE" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]; then
  echo "error: not a date: the form is YYYY-MM-DD" >&2
  exit 2
fi
if [[ ! "$DAYS" =~ ^[0-9]{1,3}$ ]]; then
  echo "error: DAYS must be a number of days" >&2
  exit 2
fi
until="${DATE:-$(date -u +%F)}"
since="${DATE:-$(date -u -d "$until - $DAYS days" +%F)}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

# Titles reach standard output, and a line of a log can be a command to the runner: results go to files.
run() {
  local code=0
  sulan digest "$@" >"$work/out" || code=$?
  case $code in
    0) ;;
    3) echo "note: digest $1 ${2:-} was partial (exit 3)" >&2 ;;
    *) echo "error: digest $1 ${2:-} failed (exit $code)" >&2; failed=1 ;;
  esac
}

languages=()
for language in $LANGUAGES; do languages+=(--lang "$language"); done

run fetch "$since" --until "$until"
sulan digest status --since "$since" --until "$until" --json >"$work/status.json"

# Days with papers whose edition is missing or was written while the list could still grow.
python3 - "$work/status.json" "$EDITIONS" >"$work/days" <<'PYTHON'
import json, pathlib, sys

(days,) = [table for table in json.load(open(sys.argv[1]))["tables"] if table["title"] == "Days"]
for row in days["rows"]:
    day = dict(zip(days["columns"], row))
    edition = pathlib.Path(sys.argv[2], day["day"], "edition.json")
    if day["papers"] and not (edition.exists() and json.loads(edition.read_text())["state"] == "complete"):
        print(day["day"])
PYTHON

while read -r day; do
  run write "$day" --out "$EDITIONS/$day" --engine "$ENGINE" "${languages[@]}" </dev/null
done <"$work/days"

run site "$EDITIONS" --out "$SITE" ${BASE_URL:+--base-url "$BASE_URL"}
exit "$failed"
