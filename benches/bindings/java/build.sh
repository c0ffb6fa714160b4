#!/bin/sh
# Makes $OUT/program; $PREFIX has the C library.
set -eu
for tool in javac cc; do
  command -v $tool >/dev/null || { echo "there is no $tool" >&2; exit 77; }
done
jdk=${JAVA_HOME:-$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.home = //p')}
jvm=../../../bindings/jvm
rm -rf "$OUT/classes"
mkdir -p "$OUT/classes" "$OUT/natives"
cc -std=c99 -O2 -fPIC -shared -fvisibility=hidden -pthread -I"$jdk/include" \
  -I"$jdk/include/$(uname -s | tr '[:upper:]' '[:lower:]')" -I"$PREFIX/include" "$jvm/native/tolmach_jni.c" \
  -o "$OUT/natives/libtolmach_jni.so" -L"$PREFIX/lib" -ltolmach -Wl,-rpath,"$PREFIX/lib"
find "$jvm/java/src/main/java" -name "*.java" >"$OUT/sources"
"$jdk/bin/javac" --release 17 -nowarn -d "$OUT/classes" @"$OUT/sources" Main.java
cat >"$OUT/program" <<END
#!/bin/sh
exec '$jdk/bin/java' -cp '$OUT/classes' -Djava.library.path='$OUT/natives:$PREFIX/lib' Main "\$@"
END
chmod +x "$OUT/program"
