package io.github.tolmach;

import java.util.Set;

/** A model of a provider's. */
public final class Model {
    private final String id;
    private final String owner;
    private final String json;
    private final long contextLength;
    private final Set<Capability> capabilities;

    Model(Packed in) {
        id = in.text();
        owner = in.text();
        json = in.text();
        contextLength = in.int64();
        capabilities = Capability.of(in.int32());
    }

    /** The name to ask for it by. */
    public String getId() {
        return id;
    }

    /** Who made or serves it; empty when not said. */
    public String getOwner() {
        return owner;
    }

    /** The provider's whole entry, as JSON. */
    public String getJson() {
        return json;
    }

    /** Tokens that fit its context; -1 when not said. */
    public long getContextLength() {
        return contextLength;
    }

    /** What the entry says it can do. */
    public Set<Capability> getCapabilities() {
        return capabilities;
    }

    @Override
    public String toString() {
        return id;
    }
}
