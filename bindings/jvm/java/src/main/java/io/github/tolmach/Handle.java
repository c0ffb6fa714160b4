package io.github.tolmach;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/**
 * A native object of one Java object, its owner. It is freed once: when it was closed, by the
 * owner or because the owner was dropped, and the last call that uses it has left.
 *
 * <p>The net below is what java.lang.ref.Cleaner would be, which Android has since API 33 only.
 */
class Handle extends PhantomReference<Object> {
    private static final ReferenceQueue<Object> DROPPED = new ReferenceQueue<>();
    private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Native.daemon("tolmach-net", Handle::closeDropped).start();
    }

    private final String name;
    private final long pointer;
    private final LongConsumer free;
    /** The calls that are inside, and the owner until it has closed. */
    private int users = 1;
    private boolean closed;

    Handle(Object owner, String name, long pointer, LongConsumer free) {
        super(owner, DROPPED);
        this.name = name;
        this.pointer = pointer;
        this.free = free;
        OPEN.add(this);
    }

    /** Calls with the pointer, which lives until the call has returned, and so does the owner. */
    final <T> T use(Object owner, LongFunction<T> call) {
        if (!enter()) throw new IllegalStateException("the " + name + " is closed");
        try {
            return call.apply(pointer);
        } finally {
            exit();
            Reference.reachabilityFence(owner);
        }
    }

    /** False where it is closed; otherwise exit() has to follow. */
    final synchronized boolean enter() {
        if (!closed) users++;
        return !closed;
    }

    final void exit() {
        boolean last;
        synchronized (this) {
            last = --users == 0;
        }
        if (last) free.accept(pointer);
    }

    final void close() {
        synchronized (this) {
            if (closed) return;
            closed = true;
        }
        OPEN.remove(this);
        clear();
        closing();
        exit();
    }

    /** What has to be done for those who are inside to leave. */
    void closing() {}

    /** Between enter() and exit(), and in closing(). */
    final long pointer() {
        return pointer;
    }

    private static void closeDropped() {
        for (;;) {
            try {
                ((Handle) DROPPED.remove()).close();
            } catch (InterruptedException e) {
                // Nobody but this class has the thread: it goes on.
            }
        }
    }
}
