#!/bin/sh
# Makes $OUT/program; $PREFIX has the C library.
set -eu
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "there is no $python" >&2; exit 77; }
here=$(pwd)
cat >"$OUT/program" <<END
#!/bin/sh
PYTHONPATH='$here/../../../bindings/python/src' exec $python '$here/main.py' "\$@"
END
chmod +x "$OUT/program"
