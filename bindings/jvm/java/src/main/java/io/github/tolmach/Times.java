package io.github.tolmach;

import java.time.Duration;

/** Durations as numbers: none below nothing, and the longest for those that are longer. */
final class Times {
    private Times() {}

    /** Rounded up, so that no wait is shorter than asked for. */
    static long millis(Duration duration) {
        long nanos = nanos(duration);
        return nanos / 1_000_000 + (nanos % 1_000_000 == 0 ? 0 : 1);
    }

    static long nanos(Duration duration) {
        if (duration.isNegative()) return 0;
        try {
            return duration.toNanos();
        } catch (ArithmeticException e) {
            return Long.MAX_VALUE;
        }
    }
}
