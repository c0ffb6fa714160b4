package io.github.tolmach;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/** What a provider or a model can do. Later versions may add to it. */
public enum Capability {
    /** Answers arrive as they are written. */
    STREAM,
    /** Takes a conversation; otherwise it is folded into one prompt. */
    HISTORY,
    /** Takes system messages. */
    SYSTEM,
    /** Calls tools. */
    TOOLS,
    /** Reads images. */
    VISION,
    /** Makes images. */
    IMAGES,
    /** Lists its models. */
    LIST_MODELS,
    /** Wants credentials. */
    NEEDS_AUTH,
    /** The service is believed to be up. */
    WORKING;

    /** The constants stand in the order of the bits; a bit beyond them is skipped. */
    static Set<Capability> of(int bits) {
        EnumSet<Capability> set = EnumSet.noneOf(Capability.class);
        for (Capability capability : values()) {
            if ((bits >> capability.ordinal() & 1) != 0) set.add(capability);
        }
        return Collections.unmodifiableSet(set);
    }
}
