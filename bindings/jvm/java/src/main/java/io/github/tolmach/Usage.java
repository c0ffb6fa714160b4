package io.github.tolmach;

/** Token counts; -1 where the provider did not say. */
public final class Usage {
    /** Of chunks that tell none. */
    static final Usage UNKNOWN = new Usage(-1, -1, -1, -1, -1, -1);

    private final long input;
    private final long output;
    private final long total;
    private final long cachedInput;
    private final long reasoning;
    private final long cacheWrite;

    Usage(long input, long output, long total, long cachedInput, long reasoning, long cacheWrite) {
        this.input = input;
        this.output = output;
        this.total = total;
        this.cachedInput = cachedInput;
        this.reasoning = reasoning;
        this.cacheWrite = cacheWrite;
    }

    /** Of the prompt, cached ones included. */
    public long getInput() {
        return input;
    }

    /** Of the answer, reasoning included. */
    public long getOutput() {
        return output;
    }

    /** In all. */
    public long getTotal() {
        return total;
    }

    /** Of the prompt, from a cache. */
    public long getCachedInput() {
        return cachedInput;
    }

    /** Of the answer, spent on reasoning. */
    public long getReasoning() {
        return reasoning;
    }

    /** Of the prompt, written to a cache. */
    public long getCacheWrite() {
        return cacheWrite;
    }

    @Override
    public String toString() {
        return input + " in, " + output + " out";
    }
}
