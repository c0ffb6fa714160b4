package io.github.tolmach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Chunks that one call has polled, of which some are taken already: what batch_of() packed. */
final class Batch {
    private static final int HEAD = 3 * Integer.BYTES;
    private static final int NUMBERS = 13 * Integer.BYTES;
    private static final byte[] NO_BYTES = {};
    static final Batch EMPTY = new Batch();

    private final byte[] packed;
    private final ByteBuffer in;
    private final int memory;
    private int left;
    /** Where the numbers of the next chunk are, and its bytes. */
    private int next = HEAD;
    private int bytes;

    private Batch() {
        packed = NO_BYTES;
        in = ByteBuffer.wrap(packed);
        memory = 0;
    }

    Batch(byte[] packed) {
        this.packed = packed;
        in = ByteBuffer.wrap(packed).order(ByteOrder.nativeOrder());
        left = in.getInt(4);
        memory = HEAD + left * NUMBERS;
        bytes = memory + in.getInt(8);
    }

    boolean isEmpty() {
        return left == 0;
    }

    Chunk take() {
        int at = next;
        Chunk.Kind kind = Chunk.Kind.of(in.getInt(at));
        int begin = bytes;
        bytes += in.getInt(at + 48);
        next += NUMBERS;
        left--;
        boolean counts = kind == Chunk.Kind.USAGE;
        return new Chunk(
                kind,
                in.getInt(at + 4),
                in.getInt(at + 8),
                text(at + 16),
                text(at + 24),
                text(at + 32),
                text(at + 40),
                counts || bytes == begin ? NO_BYTES : Arrays.copyOfRange(packed, begin, bytes),
                counts ? usage(begin) : Usage.UNKNOWN);
    }

    private String text(int at) {
        int length = in.getInt(at + 4);
        if (length == 0) return "";
        return new String(packed, memory + in.getInt(at), length, StandardCharsets.UTF_8);
    }

    private Usage usage(int at) {
        return new Usage(
                in.getLong(at),
                in.getLong(at + 8),
                in.getLong(at + 16),
                in.getLong(at + 24),
                in.getLong(at + 32),
                in.getLong(at + 40));
    }
}
