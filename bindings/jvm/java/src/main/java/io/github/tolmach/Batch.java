package io.github.tolmach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Chunks that one call has polled, of which some are taken already. */
final class Batch {
    /** What numbers_of() writes of each chunk. */
    private static final int NUMBERS = 13;

    private static final byte[] NO_BYTES = {};
    static final Batch EMPTY = new Batch(new int[0], NO_BYTES, NO_BYTES);

    private final int[] numbers;
    /** The memory of all texts. */
    private final byte[] memory;
    /** The same as a string, where it is ASCII and its places are the same: to cut is cheaper. */
    private final String ascii;
    private final byte[] bytes;
    /** Where the numbers of the next chunk are, and its bytes. */
    private int next;
    private int nextByte;

    Batch(int[] numbers, byte[] memory, byte[] bytes) {
        this.numbers = numbers;
        this.memory = memory;
        this.bytes = bytes;
        String whole = Native.string(memory);
        ascii = whole.length() == memory.length ? whole : null;
    }

    boolean isEmpty() {
        return next == numbers.length;
    }

    Chunk take() {
        int at = next;
        next += NUMBERS;
        Chunk.Kind kind = Chunk.Kind.of(numbers[at]);
        boolean counts = kind == Chunk.Kind.USAGE;
        int begin = nextByte;
        nextByte += numbers[at + 12];
        return new Chunk(
                kind,
                numbers[at + 1],
                numbers[at + 2],
                text(at + 4),
                text(at + 6),
                text(at + 8),
                text(at + 10),
                counts || nextByte == begin ? NO_BYTES : Arrays.copyOfRange(bytes, begin, nextByte),
                counts ? usage(begin) : Usage.UNKNOWN);
    }

    private String text(int at) {
        int length = numbers[at + 1];
        if (length == 0) return "";
        int begin = numbers[at];
        if (ascii != null) return ascii.substring(begin, begin + length);
        return new String(memory, begin, length, StandardCharsets.UTF_8);
    }

    private Usage usage(int at) {
        LongBuffer in = ByteBuffer.wrap(bytes, at, 6 * Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
        return new Usage(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(5));
    }
}
