package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ErrorsTest {
    static Stream<Arguments> scenes() {
        return Stream.of(
                Arguments.of("status-401", TolmachException.Auth.class, 401),
                Arguments.of("status-403", TolmachException.Auth.class, 403),
                Arguments.of("status-402", TolmachException.Quota.class, 402),
                Arguments.of("quota", TolmachException.Quota.class, 429),
                Arguments.of("status-429", TolmachException.RateLimited.class, 429),
                Arguments.of("status-400", TolmachException.BadRequest.class, 400),
                Arguments.of("status-422", TolmachException.BadRequest.class, 422),
                Arguments.of("status-404", TolmachException.NotFound.class, 404),
                Arguments.of("no-such-scene", TolmachException.NotFound.class, 404),
                Arguments.of("context-length", TolmachException.ContextLength.class, 400),
                Arguments.of("blocked", TolmachException.Blocked.class, 400),
                Arguments.of("status-500", TolmachException.Server.class, 500),
                Arguments.of("status-503", TolmachException.Server.class, 503));
    }

    @ParameterizedTest
    @MethodSource("scenes")
    void everyErrorHasItsClass(String scene, Class<? extends TolmachException> type, int status) {
        try (Client client = Stage.client(); Session session = Stage.open(client, scene, "Hi")) {
            TolmachException first = assertThrows(type, () -> Stage.textOf(session));
            assertEquals(status, first.getHttpStatus());
            TolmachException again = assertThrows(type, session::next);
            assertEquals(first.getMessage(), again.getMessage());
            assertTrue(session.isReady());
        }
    }

    @Test
    void errorTellsAllThatTheProviderSaid() {
        try (Client client = Stage.client()) {
            TolmachException.RateLimited error =
                    assertThrows(TolmachException.RateLimited.class, () -> Stage.play(client, "status-429", "Hi"));
            assertTrue(error.getMessage().contains("Scripted 429"), error.getMessage());
            assertEquals(429, error.getHttpStatus());
            assertEquals(Duration.ofSeconds(7), error.getRetryAfter());
            assertEquals("code_429", error.getProviderCode());
            assertEquals("req-42", error.getRequestId());
            assertTrue(error.getBody().contains("\"scripted_error\""), error.getBody());
        }
    }

    @Test
    void errorWithoutAProviderTellsNothingOfOne() {
        try (Client client = Stage.clientAt("http://nothing.invalid/v1", Stage.KEY)) {
            TolmachException error =
                    assertThrows(TolmachException.Dns.class, () -> Stage.play(client, "words", "Hi"));
            assertEquals(0, error.getHttpStatus());
            assertNull(error.getRetryAfter());
            assertEquals("", error.getProviderCode() + error.getRequestId() + error.getBody());
        }
    }

    @Test
    void wrongKeyIsAuthAndIsNeverShown() {
        String secret = "sk-wrong-" + Stage.unique();
        try (Client client = Stage.clientAt(Stage.URL, secret)) {
            TolmachException error =
                    assertThrows(TolmachException.Auth.class, () -> Stage.play(client, "words", "Hi"));
            assertEquals(401, error.getHttpStatus());
            assertFalse((error + error.getBody()).contains(secret));
        }
    }

    @Test
    void cutAnswerIsTruncated() throws Exception {
        try (Client client = Stage.client(); Session session = Stage.open(client, "truncated", "Hi")) {
            assertEquals("first ", Stage.nextText(session));
            assertThrows(TolmachException.Truncated.class, () -> Stage.textOf(session));
        }
    }

    @Test
    void silenceIsATimeout() {
        String message = Stage.unique();
        try (Client client = Stage.client("first_byte_timeout_ms", "50")) {
            assertThrows(TolmachException.Timeout.class, () -> Stage.play(client, "silent", message));
        }
    }

    @Test
    void errorWithinAnAnswerIsTheProviders() throws Exception {
        try (Client client = Stage.client(); Session session = Stage.open(client, "fails", "Hi")) {
            assertEquals("first ", Stage.nextText(session));
            TolmachException error = assertThrows(TolmachException.Provider.class, session::next);
            assertEquals("code_odd", error.getProviderCode());
        }
    }

    @Test
    void webPageIsNotTheProtocol() {
        try (Client client = Stage.client()) {
            assertThrows(TolmachException.Protocol.class, () -> Stage.play(client, "html", "Hi"));
        }
    }

    @Test
    void eventBeyondTheLimitIsTooLarge() {
        String asked = "{'model': 'weather', 'messages': [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant',"
                + " 'tool_calls': [{'id': 'call_1', 'type': 'function', 'function': {'name': 'weather',"
                + " 'arguments': '{\\'city\\':\\'Oslo\\'}'}}]}]}";
        try (Client client = Stage.client("max_event_bytes", "1024");
                Request request = Request.fromJson(asked.replace('\'', '"'))) {
            request.toolResult("call_1", "x".repeat(500_000));
            try (Session session = client.open(request)) {
                assertThrows(TolmachException.TooLarge.class, () -> Stage.textOf(session));
            }
        }
    }

    @Test
    void closedPortIsConnect() throws Exception {
        String url;
        try (ServerSocket gone = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            url = CancellingTest.url(gone);
        }
        try (Client client = Stage.clientAt(url, Stage.KEY)) {
            assertThrows(TolmachException.Connect.class, () -> Stage.play(client, "words", "Hi"));
        }
    }

    @Test
    void serverWithoutTlsIsTls() {
        String url = Stage.variable("TOLMACH_TEST_REAL_URL").replace("http:", "https:");
        try (Client client = Stage.clientAt(url, Stage.KEY)) {
            assertThrows(TolmachException.Tls.class, () -> Stage.play(client, "words", "Hi"));
        }
    }

    @Test
    void badSettingsAreArguments() {
        TolmachException unknown = assertThrows(TolmachException.Argument.class, () -> Stage.client("bas_url", "x"));
        assertTrue(unknown.getMessage().contains("base_url"), "the message lists the keys: " + unknown.getMessage());
        assertThrows(TolmachException.Argument.class, () -> Stage.client("max_retries", "many"));
        assertThrows(TolmachException.Argument.class, () -> Client.builder("nobody").build());
        assertThrows(TolmachException.Argument.class, () -> Stage.client("model", "a\0b"));
        assertThrows(TolmachException.Argument.class, () -> Stage.client("model", "\uD83D"));
    }

    @Test
    void badRequestsAreArgumentsAndChangeNothing() {
        try (Request request = new Request("words").message("user", "Hi")) {
            String before = request.json();
            assertThrows(TolmachException.Argument.class, () -> request.message("wizard", "Hi"));
            assertThrows(TolmachException.Argument.class, () -> request.message("user", "half \uD83D a pair"));
            assertThrows(TolmachException.Argument.class, () -> request.set("temperature", "{"));
            assertThrows(TolmachException.Argument.class, () -> request.toolResult("", "3"));
            assertThrows(TolmachException.Argument.class, () -> request.attach(new byte[] {1, 2, 3}));
            assertThrows(TolmachException.Argument.class, () -> request.attach(new byte[0]));
            assertThrows(TolmachException.Argument.class, () -> request.attachUrl("ftp://example.org/cat.png"));
            assertThrows(TolmachException.Argument.class, () -> Request.fromJson("[]"));
            assertEquals(before, request.json());
        }
    }

    /** The statuses that no server provokes, and those of later versions. */
    @Test
    void everyStatusHasAClassOfItsOwnAndTheSetIsOpen() {
        Set<Class<?>> types = new HashSet<>();
        for (int status = -1; status >= -22; status--) {
            TolmachException error = of(status);
            assertTrue(types.add(error.getClass()), "status " + status);
            assertSame(TolmachException.class, error.getClass().getSuperclass());
        }
        assertSame(TolmachException.Internal.class, of(-21).getClass());
        assertSame(TolmachException.NoMemory.class, of(-22).getClass());
        TolmachException unknown = of(-99);
        assertSame(TolmachException.class, unknown.getClass());
        assertEquals("said", unknown.getMessage());
    }

    private static TolmachException of(int status) {
        ByteBuffer packed = ByteBuffer.allocate(100).order(ByteOrder.nativeOrder());
        packed.putInt(0).putLong(-1).putInt(4).put(new byte[] {'s', 'a', 'i', 'd'}).putInt(0).putInt(0).putInt(0);
        return TolmachException.of(status, new Packed(packed.array()));
    }

    @Test
    void unknownKindsAndCapabilitiesAreNoFailure() {
        assertSame(Chunk.Kind.STATE, Chunk.Kind.of(13));
        assertSame(Chunk.Kind.LOGPROBS, Chunk.Kind.of(14));
        assertSame(Chunk.Kind.MODEL, Chunk.Kind.of(15));
        assertSame(Chunk.Kind.BODY, Chunk.Kind.of(18));
        assertSame(Chunk.Kind.UNKNOWN, Chunk.Kind.of(19));
        assertSame(Chunk.Kind.UNKNOWN, Chunk.Kind.of(-1));
        assertEquals(Set.of(Capability.STREAM, Capability.WORKING), Capability.of(1 | 256 | 1 << 20));
    }
}
