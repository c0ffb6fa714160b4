#!/bin/sh
# Builds the wheel, and tests it as it is installed: its types, its behaviour, the example.
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
pip install wheel/tolmach-*-py3-none-*.whl mypy

# It is the wheel's own library that has to be found.
unset LD_LIBRARY_PATH
export PYTHONDONTWRITEBYTECODE=1
python=$PWD/venv/bin/python

# The README's code, as one program.
sh "$here/../snippets.sh" python source/README.md source/tests/README.py.in >readme.py
(cd source && "$python" -m mypy --cache-dir ../mypy -p tolmach &&
  "$python" -m mypy --cache-dir ../mypy examples/chat.py ../readme.py &&
  "$python" -m mypy --cache-dir ../mypy tests)

"$python" -c '
import pathlib, tolmach
from tolmach import _native
package = pathlib.Path(tolmach.__file__).parent
assert pathlib.Path(_native.lib._name).parent == package, _native.lib._name
assert "site-packages" in package.parts, package'

answers=$(printf 'hello\nand again\n' | "$python" source/examples/chat.py openai \
  base_url="$TOLMACH_TEST_URL" api_key="$TOLMACH_TEST_KEY" proxy=direct model=words)
test "$answers" = 'One two three.
One two three.' || { printf 'the example said: %s\n' "$answers"; exit 1; }

if printf 'hello\n' | "$python" source/examples/chat.py openai base_url="$TOLMACH_TEST_URL" \
  api_key=wrong proxy=direct model=words 2>errors; then
  echo 'the example does not fail with a wrong key'
  exit 1
fi
grep '^chat: ' errors

said=$("$python" -X dev -W ignore::ResourceWarning readme.py)
test "$said" = 'One two three.
One two three.
again in 7.0 seconds, please (req-42)
Oslo: 3 °C, Bergen: 5 °C.
image/png 70 bytes, sum 4086.' || { printf 'the code of the README said: %s\n' "$said"; exit 1; }

"$python" -X dev -m unittest discover --start-directory source/tests
