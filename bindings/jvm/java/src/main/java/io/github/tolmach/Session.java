package io.github.tolmach;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongFunction;

/**
 * One answer on its way. Take its chunks with a loop, {@link #next()}, or without any waiting
 * with {@link #isReady()} and {@link #onReady(Runnable)}; then close it, which ends the request
 * where it still runs.
 *
 * <p>One thread at a time takes chunks; {@link #cancel()} and {@link #close()} work from any, at
 * any time. One that is dropped without being closed is ended some time after.
 */
public final class Session implements Iterable<Chunk>, AutoCloseable {
    private final Core core;

    /** Held for a moment by each look at the native session, never while a thread waits. */
    private final ReentrantLock turn = new ReentrantLock();

    // Guarded by the turn.
    private Batch batch = Batch.EMPTY;
    private final Answer.Gathering gathered = new Answer.Gathering();
    private boolean ended;
    /** Whether a thread waits in next(): others are Busy meanwhile. */
    private boolean awaited;

    /** Opens the native session of that id, for its first element, or gives an error. */
    @FunctionalInterface
    interface Opener {
        byte[] open(long id, long[] out);
    }

    Session(Opener opener) {
        long id = Core.IDS.incrementAndGet();
        long[] out = new long[1];
        Packed.check(opener.open(id, out));
        core = new Core(this, id, out[0]);
    }

    /**
     * Waits for the next chunk.
     *
     * @return the chunk; null at the end of the answer
     * @throws TolmachException why the answer did not come to its end, each time again;
     *     {@link TolmachException.Cancelled} after {@link #cancel()} or {@link #close()};
     *     {@link TolmachException.Busy} while another thread is inside
     * @throws InterruptedException at once, when the thread is interrupted; the session runs on
     */
    public Chunk next() throws InterruptedException {
        try {
            return take(Long.MAX_VALUE);
        } catch (TimeoutException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Waits for the next chunk, but no longer than {@code timeout}; zero does not wait.
     *
     * @throws TimeoutException when there was none in time; the session runs on
     * @see #next()
     */
    public Chunk next(Duration timeout) throws InterruptedException, TimeoutException {
        return take(Times.nanos(timeout));
    }

    private Chunk take(long nanos) throws InterruptedException, TimeoutException {
        if (Thread.interrupted()) throw new InterruptedException();
        begin();
        try {
            if (batch.isEmpty() || core.stopped) await(nanos);
            if (batch.isEmpty()) return null;
            Chunk next = batch.take();
            gathered.add(next);
            return next;
        } finally {
            exit();
        }
    }

    /** Waits until the next chunk is in hand, or the end. */
    private void await(long nanos) throws InterruptedException, TimeoutException {
        long end = System.nanoTime() + nanos;
        while (!peek()) {
            if (end - System.nanoTime() <= 0) throw new TimeoutException("no chunk within the time given");
            awaited = true;
            turn.unlock();
            try {
                core.await(turn, end);
            } finally {
                turn.lock();
                awaited = false;
            }
        }
    }

    /**
     * Waits for the rest of the answer and gives all of it, from its first chunk on.
     *
     * @throws TolmachException as {@link #next()} does; {@link TolmachException#getAnswer()} is
     *     what has come until then
     * @throws InterruptedException at once, when the thread is interrupted; the session runs on
     */
    public Answer answer() throws InterruptedException {
        try {
            while (next() != null) continue;
            return gathered();
        } catch (TolmachException.Busy e) {
            throw e;
        } catch (TolmachException e) {
            throw e.with(gathered());
        }
    }

    /**
     * Completes the future with the answer, on a thread of the common pool: what the program does
     * with it may take its time.
     */
    void answerTo(CompletableFuture<Answer> future) {
        try {
            while (isReady()) {
                if (next(Duration.ZERO) != null) continue;
                Answer answer = gathered();
                future.completeAsync(() -> answer);
                return;
            }
            onReady(() -> answerTo(future));
        } catch (TolmachException e) {
            TolmachException failure = e.with(gathered());
            ForkJoinPool.commonPool().execute(() -> future.completeExceptionally(failure));
        } catch (InterruptedException | TimeoutException e) {
            future.completeExceptionally(e);
        }
    }

    /** What has come so far. */
    private Answer gathered() {
        begin();
        try {
            return gathered.whole(requestId());
        } finally {
            exit();
        }
    }

    /** Empty where the session is closed, which knows no more. */
    private String requestId() {
        if (!core.enter()) return "";
        try {
            return SessionInfo.of(new Packed(Native.sessionInfo(core.pointer()))).requestId();
        } finally {
            core.exit();
        }
    }

    /**
     * Whether {@link #next()} would return or throw at once. It may take a look at the next
     * chunks, which {@link #reply()} then has already.
     *
     * @throws TolmachException.Busy while another thread is inside
     */
    public boolean isReady() {
        begin();
        try {
            return peek();
        } catch (TolmachException e) {
            return true; // and next() throws it again
        } finally {
            exit();
        }
    }

    /**
     * Has {@code wake} run once, as soon as {@link #isReady()} is worth asking again; before
     * this returns, where it is so now. Any number of them may wait, beside a thread in
     * {@link #next()}: a chunk, the end, {@link #cancel()} and {@link #close()} wake all. Each
     * must return soon, and is run on a thread that belongs to all sessions, or on the one that
     * cancels or closes.
     */
    public void onReady(Runnable wake) {
        core.onReady(turn, Objects.requireNonNull(wake, "wake"));
    }

    /** Withdraws a {@code wake} that {@link #onReady(Runnable)} was given; it may be running. */
    public void removeOnReady(Runnable wake) {
        core.remove(Objects.requireNonNull(wake, "wake"));
    }

    /**
     * The chunks that are still to come, for a loop; it ends with the answer, and leaves the
     * session open. Its methods throw what {@link #next()} throws, but where the thread is
     * interrupted a {@link TolmachException.Cancelled}, and leave the thread interrupted.
     */
    @Override
    public Iterator<Chunk> iterator() {
        return new Iterator<Chunk>() {
            private Chunk upcoming;

            @Override
            public boolean hasNext() {
                try {
                    if (upcoming == null) upcoming = Session.this.next();
                    return upcoming != null;
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw TolmachException.cancelled("interrupted while waiting for a chunk", e);
                }
            }

            @Override
            public Chunk next() {
                if (!hasNext()) throw new NoSuchElementException("the answer has ended");
                Chunk next = upcoming;
                upcoming = null;
                return next;
            }
        };
    }

    /**
     * What has arrived so far, put together: the assistant's message as JSON; empty while there
     * is nothing to send back. It may have more than has been taken: chunks arrive many at once.
     *
     * @see Request#reply(Session)
     * @throws IllegalStateException when the session is closed
     * @throws TolmachException.Busy while another thread takes a chunk
     */
    public String reply() {
        begin();
        try {
            return use(session -> Native.string(Native.sessionReply(session)));
        } finally {
            turn.unlock();
        }
    }

    /**
     * What is known of the session now, also after an error.
     *
     * @throws IllegalStateException when the session is closed
     * @throws TolmachException.Busy while another thread takes a chunk
     */
    public SessionInfo info() {
        begin();
        try {
            return SessionInfo.of(new Packed(use(Native::sessionInfo)));
        } finally {
            turn.unlock();
        }
    }

    /**
     * A header of the latest response; null where there is none. Credentials are never given.
     *
     * @throws IllegalStateException when the session is closed
     * @throws TolmachException.Busy while another thread takes a chunk
     */
    public String header(String name) {
        byte[] wanted = Native.name(Objects.requireNonNull(name, "name"));
        begin();
        try {
            byte[] value = use(session -> Native.sessionHeader(session, wanted));
            return value == null ? null : Native.string(value);
        } finally {
            turn.unlock();
        }
    }

    /**
     * The complete tool calls that have arrived so far: all of them once the answer has finished.
     *
     * @throws IllegalStateException when the session is closed
     * @throws TolmachException.Busy while another thread takes a chunk
     */
    public List<ToolCall> toolCalls() {
        begin();
        try {
            Packed in = new Packed(use(Native::sessionToolCalls));
            List<ToolCall> calls = new ArrayList<>();
            for (int count = in.int32(); count > 0; count--) {
                calls.add(new ToolCall(in.text(), in.text(), in.text()));
            }
            return List.copyOf(calls);
        } finally {
            turn.unlock();
        }
    }

    /**
     * Ends the session at once: closes its connection, and lets a wait under way and all later
     * ones throw {@link TolmachException.Cancelled}, unless the answer has already ended.
     */
    public void cancel() {
        if (!core.enter()) return;
        try {
            core.stopped = true;
            Native.sessionCancel(core.pointer());
            core.signal();
        } finally {
            core.exit();
            Reference.reachabilityFence(this);
        }
    }

    /** Cancels the session where it still runs, and frees it once no thread is inside. */
    @Override
    public void close() {
        core.close();
    }

    <T> T use(LongFunction<T> call) {
        return core.use(this, call);
    }

    /** Whether the next chunk is in hand, or the end. */
    private boolean peek() {
        if (core.stopped) {
            // Nothing is given out any more, but the reply and the answer have it.
            while (!batch.isEmpty()) gathered.add(batch.take());
        }
        if (!batch.isEmpty()) return true;
        if (!core.enter()) throw TolmachException.cancelled("the session is closed", null);
        try {
            return ended || poll();
        } finally {
            core.exit();
        }
    }

    private boolean poll() {
        core.lower();
        byte[][] out = new byte[2][];
        int[] numbers = Native.sessionPollMany(core.pointer(), out);
        if (numbers == null) return false;
        core.raise();
        if (numbers.length > 0) {
            batch = new Batch(numbers, out[0], out[1]);
        } else {
            Packed.check(out[0]);
            ended = true;
        }
        return true;
    }

    private void begin() {
        turn.lock();
        if (!awaited) return;
        turn.unlock();
        throw TolmachException.busy("another thread is taking chunks of this session");
    }

    private void exit() {
        turn.unlock();
        Reference.reachabilityFence(this);
    }

    /** What of a session outlives its being dropped: the native one, and who waits for it. */
    private static final class Core extends Handle {
        static final AtomicLong IDS = new AtomicLong();
        private static final Map<Long, Core> CORES = new ConcurrentHashMap<>();

        static {
            Native.daemon("tolmach-ready", Core::dispatch).start();
        }

        /** Whether it was cancelled or closed: what was polled is not to be given out then. */
        volatile boolean stopped;
        /** Those who wait: each is run by the next signal, all of them by the same. */
        private final List<Runnable> waiters = new ArrayList<>();
        /** Whether there was a signal since the last look. Both are guarded by `waiters`. */
        private boolean signalled = true;

        Core(Session session, long id, long pointer) {
            super(session, "session", pointer, freed -> {
                CORES.remove(id);
                Native.sessionFree(freed);
            });
            // A signal before this is lost: so it begins as signalled.
            CORES.put(id, this);
        }

        /** Passes the signals of all sessions on to whom they concern. */
        private static void dispatch() {
            for (;;) {
                Core core = CORES.get(Native.sessionTake());
                if (core != null) core.signal();
            }
        }

        void signal() {
            List<Runnable> woken;
            synchronized (waiters) {
                signalled = true;
                woken = new ArrayList<>(waiters);
                waiters.clear();
            }
            woken.forEach(Native::runForUser);
        }

        /** Before a poll, so that a signal that comes later is seen. */
        void lower() {
            synchronized (waiters) {
                signalled = false;
            }
        }

        /** After a poll that found something: the library is silent until one finds nothing. */
        void raise() {
            synchronized (waiters) {
                signalled = true;
            }
        }

        /**
         * Has `waiter` run by the next signal; here, where there is one already. Not amid a poll
         * of another thread, which has lowered what it may find up.
         */
        void onReady(ReentrantLock turn, Runnable waiter) {
            boolean isReady;
            turn.lock();
            try {
                synchronized (waiters) {
                    isReady = signalled;
                    if (!isReady) waiters.add(waiter);
                }
            } finally {
                turn.unlock();
            }
            if (isReady) waiter.run();
        }

        void remove(Runnable waiter) {
            synchronized (waiters) {
                waiters.remove(waiter);
            }
        }

        /** Waits for a signal, but no longer than until `end`. */
        void await(ReentrantLock turn, long end) throws InterruptedException {
            Thread thread = Thread.currentThread();
            AtomicBoolean woken = new AtomicBoolean();
            Runnable waiter = () -> {
                woken.set(true);
                LockSupport.unpark(thread);
            };
            onReady(turn, waiter);
            try {
                while (!woken.get()) {
                    if (Thread.interrupted()) throw new InterruptedException();
                    long left = end - System.nanoTime();
                    if (left <= 0) return;
                    LockSupport.parkNanos(this, left);
                }
            } finally {
                remove(waiter);
            }
        }

        @Override
        void closing() {
            stopped = true;
            Native.sessionCancel(pointer());
            signal();
        }
    }
}
