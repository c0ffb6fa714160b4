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
pip wheel --no-deps --wheel-dir wheel ./source
pip install wheel/tolmach-*-py3-none-*.whl mypy

# It is the wheel's own library that has to be found.
unset LD_LIBRARY_PATH
export PYTHONDONTWRITEBYTECODE=1
python=$PWD/venv/bin/python

# The README's examples, one after another, as one program.
sed -n '/^```python$/,/^```$/p' source/README.md | grep -v '^```' >readme.py
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

"$python" -X dev -m unittest discover --start-directory source/tests
