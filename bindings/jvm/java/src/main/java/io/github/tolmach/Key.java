package io.github.tolmach;

import java.util.List;

/**
 * A key that a provider's config has, for settings pages, completion and checks.
 *
 * @param name of the key, such as "max_retries"
 * @param kind what its values are
 * @param defaultValue what it is until it is set; empty for nothing, and where help says more
 * @param choices the values there are, for {@link Kind#CHOICE}
 * @param help what it means, in English
 * @param isOption whether {@link Request#option(String, String)} can set it for one request
 */
public record Key(String name, Kind kind, String defaultValue, List<String> choices, String help, boolean isOption) {
    /** What the values of a key are. The set is open: take {@link #UNKNOWN} for TEXT. */
    public enum Kind {
        /** A kind that this version does not know. */
        UNKNOWN,
        /** Any text. */
        TEXT,
        /** Text that is not to be shown, such as an API key. */
        SECRET,
        /** An http or https URL. */
        URL,
        /** The path of a file. */
        FILE,
        /** A whole number, 0 or more. */
        NUMBER,
        /** A number of milliseconds; -1 is no limit. */
        MILLISECONDS,
        /** "true" or "false". */
        BOOLEAN,
        /** A JSON object. */
        JSON,
        /** One of the key's choices. */
        CHOICE;

        /** The constants stand in the order of the library's numbers. */
        private static final Kind[] KINDS = values();

        static Kind of(int number) {
            return number > 0 && number < KINDS.length ? KINDS[number] : UNKNOWN;
        }
    }

    static Key of(Packed in) {
        String name = in.text();
        Kind kind = Kind.of(in.int32());
        String defaultValue = in.text();
        String choices = in.text();
        List<String> each = choices.isEmpty() ? List.of() : List.of(choices.split(","));
        return new Key(name, kind, defaultValue, each, in.text(), in.int32() != 0);
    }
}
