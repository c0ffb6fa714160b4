#!/bin/sh
# Builds the wheel, and tests it as it is installed: its types, its behaviour, the examples.
set -eu
cd "$(dirname "$0")"
[ -n "${TOLMACH_TEST_WORK:-}" ] || exec sh ../test.sh python
here=$PWD
python=${PYTHON:-python3}

mkdir -p "$TOLMACH_TEST_WORK"
cd "$TOLMACH_TEST_WORK"
# Building writes beside its sources.
rm -rf source wheel venv
cp -R "$here" source

"$python" -m venv venv
pip() { venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
# By the command of the README.
wheel=$(sed -n 's/^    pip wheel //p' source/README.md)
# Its options are several words.
# shellcheck disable=SC2086
(cd source && ../venv/bin/python -m pip --disable-pip-version-check --quiet wheel $wheel && mv dist ../wheel)
pip install wheel/tolmach-*-py3-none-*.whl mypy pydantic

# It is the wheel's own library that has to be found.
unset LD_LIBRARY_PATH
export PYTHONDONTWRITEBYTECODE=1
python=$PWD/venv/bin/python

# The README's code, as one program.
sh "$here/../snippets.sh" python source/README.md source/tests/README.py.in >readme.py
(cd source && "$python" -m mypy --cache-dir ../mypy -p tolmach &&
  "$python" -m mypy --cache-dir ../mypy examples/*.py ../readme.py &&
  "$python" -m mypy --cache-dir ../mypy tests)

"$python" -c '
import pathlib, tolmach
from tolmach import _native
package = pathlib.Path(tolmach.__file__).parent
assert pathlib.Path(_native.lib._name).parent == package, _native.lib._name
assert "site-packages" in package.parts, package'

# example PROGRAM ARGUMENTS...: runs an example against the scripted server.
example() {
  program=$1
  shift
  "$python" "source/examples/$program.py" "$@" base_url="$TOLMACH_TEST_URL" proxy=direct
}
says() {
  test "$1" = "$2" || { printf 'the example said: %s\n' "$1"; exit 1; }
}
key=api_key=$TOLMACH_TEST_KEY

says "$(printf 'hello\nand again\n' | example chat openai "$key" model=words)" 'One two three.
One two three.'
says "$(example tools openai "$key" model=tools)" '[weather of Oslo: 3 °C]
[weather of Bergen: 5 °C]
Oslo: 3 °C, Bergen: 5 °C.'
says "$(example structured openai "$key" model=gpt-4o)" 'Oslo: 3 °C'
says "$(example images openai 'a pixel' "$key" model=gpt-image-1)" 'image1.png: image/png, 70 bytes'
says "$(example cancel 3 openai "$key" model=held)" 'first [stopped]
2 messages'

for program in chat tools structured images cancel; do
  case $program in
    images) set -- openai 'a pixel' ;;
    cancel) set -- 60 openai ;;
    *) set -- openai ;;
  esac
  if printf 'hello\n' | example $program "$@" api_key=wrong model=words 2>errors; then
    echo "the example $program does not fail with a wrong key"
    exit 1
  fi
  grep "^$program: " errors
done

said=$("$python" -X dev -W ignore::ResourceWarning readme.py)
test "$said" = 'One two three.
One two three.
Oslo: 3 °C
One two three.
again in 7.0 seconds, please (req-42)
One two three.
Oslo: 3 °C, Bergen: 5 °C.
image/png 70 bytes, sum 4086.' || { printf 'the code of the README said: %s\n' "$said"; exit 1; }

"$python" -X dev -m unittest discover --start-directory source/tests
