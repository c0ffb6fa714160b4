package io.github.tolmach;

/**
 * What is known of a session in addition to its answer; complete once the session has ended.
 *
 * @param id the number of the session, which lines of the log name it by
 * @param attempts how often the request was tried so far: 0 before the first try
 * @param changed the parameters that were changed to suit the provider, as JSON: a list of objects
 *     with the strings "field" and "change"
 * @param requestId the provider's id of the latest request, for its support; empty where it gave none
 * @param model that answers; empty before its answer begins
 * @param provider that was asked
 */
public record SessionInfo(long id, long attempts, String changed, String requestId, String model, String provider) {
    static SessionInfo of(Packed in) {
        return new SessionInfo(in.int64(), in.int64(), in.text(), in.text(), in.text(), in.text());
    }
}
