package io.github.tolmach;

import java.time.Duration;

/**
 * Why a call failed: the class is for code, the rest for people. The set of classes is open: one
 * that this version does not know is thrown as this class itself.
 *
 * <p>Unchecked, since chunks are taken by loops over {@link Session}, and an iterator can throw
 * no checked exception.
 */
public class TolmachException extends RuntimeException {
    private static final long serialVersionUID = 1;

    static final int OK = 0;

    private final int httpStatus;
    private final Duration retryAfter;
    private final String providerCode;
    private final String requestId;
    private final String body;
    private final int status;
    private transient Answer answer;

    private TolmachException(String message, Throwable cause) {
        super(message, cause);
        status = 0;
        httpStatus = 0;
        retryAfter = null;
        providerCode = requestId = body = "";
    }

    private TolmachException(Detail detail) {
        super(detail.message);
        status = detail.status;
        httpStatus = detail.httpStatus;
        retryAfter = detail.retryAfter;
        providerCode = detail.providerCode;
        requestId = detail.requestId;
        body = detail.body;
    }

    /** The HTTP status of the provider's answer, such as 429; 0 when there was none. */
    public final int getHttpStatus() {
        return httpStatus;
    }

    /**
     * Whether the same call may succeed later: no connection, a timeout, too many requests, a
     * provider that failed, an answer that was cut.
     */
    public final boolean isTransient() {
        return status != 0 && Native.isTransient(status);
    }

    /** How long the provider asks to wait before the next try; null when it did not say. */
    public final Duration getRetryAfter() {
        return retryAfter;
    }

    /** The provider's own code or type for this error; empty when there was none. */
    public final String getProviderCode() {
        return providerCode;
    }

    /** The provider's id of the failed request: what its support asks for; empty when there was none. */
    public final String getRequestId() {
        return requestId;
    }

    /**
     * The body of the provider's answer, or the event, that the error came in; empty when there
     * was none. It may hold the provider's own words about the request.
     */
    public final String getBody() {
        return body;
    }

    /**
     * What arrived of the answer before it failed, where a whole answer was waited for; null
     * elsewhere.
     */
    public final Answer getAnswer() {
        return answer;
    }

    final TolmachException with(Answer answer) {
        this.answer = answer;
        return this;
    }

    /** The exception of a status, with what was packed behind it. */
    static TolmachException of(int status, Packed in) {
        Detail detail = new Detail(status, in);
        switch (status) {
            case -1:
                return new Argument(detail);
            case -2:
                return new Busy(detail);
            case -3:
                return new Cancelled(detail);
            case -4:
                return new Timeout(detail);
            case -5:
                return new Dns(detail);
            case -6:
                return new Connect(detail);
            case -7:
                return new Tls(detail);
            case -8:
                return new Auth(detail);
            case -9:
                return new Quota(detail);
            case -10:
                return new RateLimited(detail);
            case -11:
                return new BadRequest(detail);
            case -12:
                return new NotFound(detail);
            case -13:
                return new ContextLength(detail);
            case -14:
                return new Blocked(detail);
            case -15:
                return new Server(detail);
            case -16:
                return new Provider(detail);
            case -17:
                return new Protocol(detail);
            case -18:
                return new Truncated(detail);
            case -19:
                return new TooLarge(detail);
            case -20:
                return new Unsupported(detail);
            case -21:
                return new Internal(detail);
            case -22:
                return new NoMemory(detail);
            default:
                return new TolmachException(detail);
        }
    }

    static TolmachException argument(String message) {
        return new Argument(message);
    }

    static TolmachException format(String message, Answer answer) {
        return new AnswerFormat(message).with(answer);
    }

    static TolmachException rounds(int maxRounds, Answer answer) {
        return new TooManyRounds("the model still called tools after " + maxRounds + " rounds").with(answer);
    }

    static TolmachException busy(String message) {
        return new Busy(message);
    }

    static TolmachException cancelled(String message, Throwable cause) {
        return new Cancelled(message, cause);
    }

    /** What the library says of an error. */
    private static final class Detail {
        final int status;
        final int httpStatus;
        final Duration retryAfter;
        final String message;
        final String providerCode;
        final String requestId;
        final String body;

        Detail(int status, Packed in) {
            this.status = status;
            httpStatus = in.int32();
            long millis = in.int64();
            retryAfter = millis < 0 ? null : Duration.ofMillis(millis);
            message = in.text();
            providerCode = in.text();
            requestId = in.text();
            body = in.text();
        }
    }

    /** Something null, malformed or unknown: mend the program; the message says what is right. */
    public static final class Argument extends TolmachException {
        private static final long serialVersionUID = 1;

        private Argument(String message) {
            super(message, null);
        }

        private Argument(Detail detail) {
            super(detail);
        }
    }

    /** Another thread is taking chunks of this session. */
    public static final class Busy extends TolmachException {
        private static final long serialVersionUID = 1;

        private Busy(String message) {
            super(message, null);
        }

        private Busy(Detail detail) {
            super(detail);
        }
    }

    /** The session was cancelled or closed, or the wait for it interrupted. */
    public static final class Cancelled extends TolmachException {
        private static final long serialVersionUID = 1;

        private Cancelled(String message, Throwable cause) {
            super(message, cause);
        }

        private Cancelled(Detail detail) {
            super(detail);
        }
    }

    /** A deadline passed: connect, first byte, idle or total; the message says which. */
    public static final class Timeout extends TolmachException {
        private static final long serialVersionUID = 1;

        private Timeout(Detail detail) {
            super(detail);
        }
    }

    /** The host's name could not be resolved. */
    public static final class Dns extends TolmachException {
        private static final long serialVersionUID = 1;

        private Dns(Detail detail) {
            super(detail);
        }
    }

    /** Refused, reset, unreachable, or the proxy would not. */
    public static final class Connect extends TolmachException {
        private static final long serialVersionUID = 1;

        private Connect(Detail detail) {
            super(detail);
        }
    }

    /** The TLS handshake or a certificate failed. */
    public static final class Tls extends TolmachException {
        private static final long serialVersionUID = 1;

        private Tls(Detail detail) {
            super(detail);
        }
    }

    /** Missing or rejected credentials (HTTP 401, 403). */
    public static final class Auth extends TolmachException {
        private static final long serialVersionUID = 1;

        private Auth(Detail detail) {
            super(detail);
        }
    }

    /** Payment required or quota spent (HTTP 402, insufficient_quota). */
    public static final class Quota extends TolmachException {
        private static final long serialVersionUID = 1;

        private Quota(Detail detail) {
            super(detail);
        }
    }

    /** Too many requests (HTTP 429). {@link #getRetryAfter()} may say when to return. */
    public static final class RateLimited extends TolmachException {
        private static final long serialVersionUID = 1;

        private RateLimited(Detail detail) {
            super(detail);
        }
    }

    /** The provider says that the request is wrong (HTTP 400, 413, 422). */
    public static final class BadRequest extends TolmachException {
        private static final long serialVersionUID = 1;

        private BadRequest(Detail detail) {
            super(detail);
        }
    }

    /** No such model or endpoint (HTTP 404). */
    public static final class NotFound extends TolmachException {
        private static final long serialVersionUID = 1;

        private NotFound(Detail detail) {
            super(detail);
        }
    }

    /** The prompt does not fit the model's context. */
    public static final class ContextLength extends TolmachException {
        private static final long serialVersionUID = 1;

        private ContextLength(Detail detail) {
            super(detail);
        }
    }

    /** Content policy, or a bot-protection page. */
    public static final class Blocked extends TolmachException {
        private static final long serialVersionUID = 1;

        private Blocked(Detail detail) {
            super(detail);
        }
    }

    /** The provider failed or is overloaded (HTTP 5xx). */
    public static final class Server extends TolmachException {
        private static final long serialVersionUID = 1;

        private Server(Detail detail) {
            super(detail);
        }
    }

    /** An error of the provider's that fits no class above. */
    public static final class Provider extends TolmachException {
        private static final long serialVersionUID = 1;

        private Provider(Detail detail) {
            super(detail);
        }
    }

    /** Not the protocol expected: a web page, bad JSON, a redirect. */
    public static final class Protocol extends TolmachException {
        private static final long serialVersionUID = 1;

        private Protocol(Detail detail) {
            super(detail);
        }
    }

    /** The answer stopped before its end. */
    public static final class Truncated extends TolmachException {
        private static final long serialVersionUID = 1;

        private Truncated(Detail detail) {
            super(detail);
        }
    }

    /** A configured limit was exceeded. */
    public static final class TooLarge extends TolmachException {
        private static final long serialVersionUID = 1;

        private TooLarge(Detail detail) {
            super(detail);
        }
    }

    /** The provider, or this build, cannot do that. */
    public static final class Unsupported extends TolmachException {
        private static final long serialVersionUID = 1;

        private Unsupported(Detail detail) {
            super(detail);
        }
    }

    /** A bug in the library: please report it. */
    public static final class Internal extends TolmachException {
        private static final long serialVersionUID = 1;

        private Internal(Detail detail) {
            super(detail);
        }
    }

    /** The system has no more memory, threads or file descriptors. */
    public static final class NoMemory extends TolmachException {
        private static final long serialVersionUID = 1;

        private NoMemory(Detail detail) {
            super(detail);
        }
    }

    /** The answer is not what was asked for; {@link #getAnswer()} has it. */
    public static final class AnswerFormat extends TolmachException {
        private static final long serialVersionUID = 1;

        private AnswerFormat(String message) {
            super(message, null);
        }
    }

    /** The last round of {@link Client#run} called tools as well; {@link #getAnswer()} has it. */
    public static final class TooManyRounds extends TolmachException {
        private static final long serialVersionUID = 1;

        private TooManyRounds(String message) {
            super(message, null);
        }
    }
}
