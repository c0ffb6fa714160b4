package io.github.tolmach;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** The native methods, each a function of tolmach_jni.c, and the shapes of what crosses. */
final class Native {
    static {
        Library.load();
    }

    private Native() {}

    // What returns byte[] beside `out` gives null, or a packed error.

    static native byte[] version();

    static native byte[] providers();

    static native void logSet(int level);

    /** A packed line; waits, on the one thread that calls it. */
    static native byte[] logTake();

    static native boolean isTransient(int status);

    static native byte[] keys(byte[] provider);

    static native byte[] clientNew(byte[][] words, long[] out);

    static native byte[] clientModels(long client, long timeoutMillis);

    static native void clientCancelAll(long client);

    static native void clientFree(long client);

    static native byte[] requestNew(byte[] model, long[] out);

    static native byte[] requestFromJson(byte[] json, long[] out);

    static native byte[] requestMessage(long request, byte[] role, byte[] text);

    static native byte[] requestAttach(long request, byte[] file, byte[] mime);

    static native byte[] requestAttachUrl(long request, byte[] url);

    static native byte[] requestToolResult(long request, byte[] callId, byte[] text);

    static native byte[] requestSet(long request, byte[] name, byte[] json);

    static native byte[] requestSetString(long request, byte[] name, byte[] text);

    static native byte[] requestOption(long request, byte[] key, byte[] value);

    static native byte[] requestTool(long request, byte[] name, byte[] description, byte[] schema);

    static native byte[] requestClone(long request, long[] out);

    static native long requestCount(long request);

    static native byte[] requestTruncate(long request, long count);

    static native byte[] requestReply(long request, long session);

    static native byte[] requestJson(long request);

    static native void requestFree(long request);

    static native byte[] sessionOpen(long client, long request, long id, long[] out);

    static native byte[] sessionOpenModels(long client, long id, long[] out);

    static native byte[] sessionOpenRaw(
            long client, byte[] method, byte[] path, byte[] contentType, byte[] body, long id, long[] out);

    /** Waits, on the one thread that calls it. */
    static native long sessionTake();

    /**
     * Null for nothing yet; empty for the end, and for an error, which `out` has, packed; else the
     * numbers of a {@link Batch}, whose memory and bytes `out` has.
     */
    static native int[] sessionPollMany(long session, byte[][] out);

    static native byte[] sessionInfo(long session);

    static native byte[] sessionHeader(long session, byte[] name);

    static native void sessionCancel(long session);

    static native byte[] sessionReply(long session);

    static native byte[] sessionToolCalls(long session);

    static native void sessionFree(long session);

    static String string(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }

    /** The text as UTF-8; half a surrogate pair is refused, not replaced. */
    static byte[] text(String text) {
        return encode(text, 0);
    }

    /** A name, key or URL as UTF-8 with its NUL; null for null. */
    static byte[] name(String name) {
        if (name == null) return null;
        if (name.indexOf('\0') >= 0) {
            throw TolmachException.argument("there is a NUL in the name, key, value or URL");
        }
        return encode(name, 1);
    }

    private static byte[] encode(String text, int behind) {
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] utf8 = new byte[bytes.remaining() + behind];
            bytes.get(utf8, 0, utf8.length - behind);
            return utf8;
        } catch (CharacterCodingException e) {
            throw TolmachException.argument("there is half a surrogate pair in the text");
        }
    }

    /** A thread that does not keep the program from ending. */
    static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    /** Runs what belongs to the user, on a thread that has to go on whatever it throws. */
    static void runForUser(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            Thread thread = Thread.currentThread();
            thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
        }
    }
}
