package io.github.tolmach;

import java.util.Set;

/** A provider that this build can talk to. */
public final class Provider {
    private final String name;
    private final String label;
    private final String url;
    private final String baseUrl;
    private final String defaultModel;
    private final String apiKeyEnv;
    private final Set<Capability> capabilities;

    Provider(Packed in) {
        name = in.text();
        label = in.text();
        url = in.text();
        baseUrl = in.text();
        defaultModel = in.text();
        apiKeyEnv = in.text();
        capabilities = Capability.of(in.int32());
    }

    /** The name to configure it by, such as "openai". */
    public String getName() {
        return name;
    }

    /** Its name for people. */
    public String getLabel() {
        return label;
    }

    /** Its site. */
    public String getUrl() {
        return url;
    }

    /** Where its API is, unless the key {@code base_url} says otherwise. */
    public String getBaseUrl() {
        return baseUrl;
    }

    /** The model asked when nobody names one; empty: name one. */
    public String getDefaultModel() {
        return defaultModel;
    }

    /** The environment variable where its key is usually kept; empty: none. */
    public String getApiKeyEnv() {
        return apiKeyEnv;
    }

    /** What it can do. */
    public Set<Capability> getCapabilities() {
        return capabilities;
    }

    @Override
    public String toString() {
        return name;
    }
}
