package io.github.tolmach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads what tolmach_jni.c packed. */
final class Packed {
    private final ByteBuffer in;

    Packed(byte[] packed) {
        in = ByteBuffer.wrap(packed).order(ByteOrder.nativeOrder());
    }

    /** Of a call that packs either an error or TOLMACH_OK and its result, the result. */
    static Packed result(byte[] packed) {
        Packed in = new Packed(packed);
        int status = in.int32();
        if (status != TolmachException.OK) throw TolmachException.of(status, in);
        return in;
    }

    /** Throws what a call that returns null or an error returned. */
    static void check(byte[] failure) {
        if (failure != null) result(failure);
    }

    int int32() {
        return in.getInt();
    }

    long int64() {
        return in.getLong();
    }

    byte[] bytes() {
        byte[] bytes = new byte[in.getInt()];
        in.get(bytes);
        return bytes;
    }

    String text() {
        return Native.string(bytes());
    }
}
