package io.github.tolmach;

/** One piece of an answer. Immutable but for the array of {@link #getBytes()}. */
public final class Chunk {
    /** What a chunk carries. The set is open: skip {@link #UNKNOWN} and what you do not handle. */
    public enum Kind {
        /** A kind that this version does not know. */
        UNKNOWN,
        /** The answer begins. Text: its id; name: the model that answers. */
        START,
        /** A piece of the answer's text. */
        TEXT,
        /** A piece of the model's reasoning. Name: the field of the protocol that it came in. */
        REASONING,
        /** A piece of a refusal. */
        REFUSAL,
        /**
         * A piece of a tool call. Id and name on the call's first piece; text: a piece of its
         * arguments, which are JSON once the answer has finished; index: which call.
         */
        TOOL_CALL,
        /** An image. Text: its URL, or empty when bytes are given; name: the prompt as revised. */
        IMAGE,
        /** A piece of audio in bytes; text: its transcript. */
        AUDIO,
        /** A source. Text: its URL; name: its title. */
        SOURCE,
        /** What the provider says it is doing. */
        PROGRESS,
        /** Token counts, in usage. */
        USAGE,
        /**
         * The end of a choice. Text: stop, length, tool_calls, content_filter, or another word
         * of the provider's; name: as the provider put it.
         */
        FINISH,
        /** With the key {@code raw_chunks} alone: text is the undecoded event. */
        RAW,
        /** Opaque state of the provider's, as JSON in text. The reply has it already. */
        STATE,
        /** How likely the tokens of the answer were, as JSON in text. */
        LOGPROBS,
        /** A model. Id: its name; name: its owner; text: the provider's entry as JSON. */
        MODEL,
        /** An embedding of the input with that index: little-endian floats in bytes. */
        EMBEDDING,
        /** With the key {@code retry_chunks} alone: the request is sent again. Text: why. */
        RETRY,
        /** A piece of the body of a response, in bytes. */
        BODY;

        /** The constants stand in the order of the library's numbers. */
        private static final Kind[] KINDS = values();

        static Kind of(int number) {
            return number > 0 && number < KINDS.length ? KINDS[number] : UNKNOWN;
        }
    }

    private final Kind kind;
    private final int choice;
    private final int index;
    private final String text;
    private final String id;
    private final String name;
    private final String mime;
    private final byte[] bytes;
    private final Usage usage;

    Chunk(Kind kind, int choice, int index, String text, String id, String name, String mime, byte[] bytes, Usage usage) {
        this.kind = kind;
        this.choice = choice;
        this.index = index;
        this.text = text;
        this.id = id;
        this.name = name;
        this.mime = mime;
        this.bytes = bytes;
        this.usage = usage;
    }

    /** What it carries. */
    public Kind getKind() {
        return kind;
    }

    /** Which of n answers it belongs to. */
    public int getChoice() {
        return choice;
    }

    /** Which tool call, image, ... of that answer. */
    public int getIndex() {
        return index;
    }

    /** Text, in whole characters; empty where there is none, and so are the others. */
    public String getText() {
        return text;
    }

    /** The id of a tool call. */
    public String getId() {
        return id;
    }

    /** A name; of what, the kind says. */
    public String getName() {
        return name;
    }

    /** The media type of the bytes. */
    public String getMime() {
        return mime;
    }

    /** An image or audio: the array is the caller's own. */
    public byte[] getBytes() {
        return bytes;
    }

    /** Token counts; all -1 but for {@link Kind#USAGE}. */
    public Usage getUsage() {
        return usage;
    }

    @Override
    public String toString() {
        return kind + " " + text;
    }
}
