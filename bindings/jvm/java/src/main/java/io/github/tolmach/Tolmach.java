package io.github.tolmach;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/** What holds for the library as a whole: its version, providers and log. */
public final class Tolmach {
    /** How grave a line of the log is. */
    public enum Level {
        ERROR,
        WARNING,
        INFO,
        DEBUG,
        TRACE
    }

    /** Takes lines of the log. */
    @FunctionalInterface
    public interface Log {
        /**
         * Called from one thread, line after line. While it is slow, lines are lost.
         *
         * @param session the number of the session that the line belongs to; 0 for none
         */
        void line(Level level, long session, String message);
    }

    private static volatile Log log;

    private Tolmach() {}

    /** The version of the native library that runs, such as "0.1.0". */
    public static String version() {
        return Native.string(Native.version());
    }

    /** The providers that this build can talk to. */
    public static List<Provider> providers() {
        Packed in = new Packed(Native.providers());
        List<Provider> providers = new ArrayList<>();
        for (int count = in.int32(); count > 0; count--) providers.add(new Provider(in));
        return Collections.unmodifiableList(providers);
    }

    /**
     * The keys that a provider's config has.
     *
     * @throws TolmachException.Argument for an unknown provider
     */
    public static List<Key> keys(String provider) {
        Packed in = Packed.result(Native.keys(Native.name(Objects.requireNonNull(provider, "provider"))));
        List<Key> keys = new ArrayList<>();
        for (int count = in.int32(); count > 0; count--) keys.add(Key.of(in));
        return Collections.unmodifiableList(keys);
    }

    /**
     * Sends the library's log lines to {@code log}, for the whole process. Off by default. A
     * line never shows a credential, a header or a prompt.
     *
     * @param max lines less grave than this are not made
     * @param log replaces the one before; null turns the log off
     */
    public static synchronized void setLog(Level max, Log log) {
        int level = log == null ? 0 : max.ordinal() + 1;
        Tolmach.log = log;
        Native.logSet(level);
        if (log != null) Deliverer.start();
    }

    /** Brings the lines to the log, from the first time that there is one. */
    private static final class Deliverer {
        private static final Level[] LEVELS = Level.values();

        static {
            Native.daemon("tolmach-log", Deliverer::deliver).start();
        }

        static void start() {}

        private static void deliver() {
            for (;;) {
                Packed in = new Packed(Native.logTake());
                Level level = LEVELS[Math.max(0, Math.min(in.int32() - 1, LEVELS.length - 1))];
                long session = in.int64();
                String message = in.text();
                Log log = Tolmach.log;
                if (log != null) Native.runForUser(() -> log.line(level, session, message));
            }
        }
    }
}
