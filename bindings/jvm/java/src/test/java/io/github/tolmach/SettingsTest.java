package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SettingsTest {
    private static final Set<Key.Kind> TYPED =
            Set.of(Key.Kind.NUMBER, Key.Kind.MILLISECONDS, Key.Kind.BOOLEAN, Key.Kind.JSON);

    /** What each method of Setting makes, by its key. */
    private static Map<String, Setting> settings() throws Exception {
        Map<String, Setting> settings = new HashMap<>();
        for (Method method : Setting.class.getDeclaredMethods()) {
            if (!Modifier.isPublic(method.getModifiers()) || !Modifier.isStatic(method.getModifiers())) continue;
            Class<?> type = method.getParameterTypes()[0];
            Object value = type == boolean.class ? true
                    : type == long.class ? 1L
                    : type == Duration.class ? Duration.ofSeconds(1)
                    : type == Map.class ? Map.of()
                    : type == String[].class ? new String[] {"one", "two"}
                    : "any";
            Setting setting = (Setting) method.invoke(null, value);
            settings.put(setting.key(), setting);
        }
        return settings;
    }

    @Test
    void everyKeyHasASettingThatItsProviderTakes() throws Exception {
        Map<String, Setting> settings = settings();
        Set<String> unused = new HashSet<>(settings.keySet());
        for (Provider provider : Tolmach.providers()) {
            for (Key key : Tolmach.keys(provider.getName())) {
                Setting setting = settings.get(key.name());
                assertTrue(setting != null, "Setting has no method for " + provider + "'s key " + key.name());
                unused.remove(key.name());
                // What is text may have to be a URL, a certificate and so on.
                if (TYPED.contains(key.kind())) assertTaken(provider.getName(), setting);
            }
        }
        assertEquals(Set.of(), unused, "keys that no provider has");
    }

    /** What else is wrong, a client says after its keys. */
    private static void assertTaken(String provider, Setting setting) {
        try {
            Client.builder(provider).set(Setting.apiKey("key"), setting).build().close();
        } catch (TolmachException e) {
            boolean isOfForm = !e.getMessage().contains('"' + setting.key() + '"')
                    || e.getMessage().contains("a whole number from");
            assertTrue(isOfForm, provider + ": " + e.getMessage());
        }
    }

    @Test
    void keysSayWhatTheyAre() {
        Map<String, Key> keys = Tolmach.keys("openai").stream().collect(Collectors.toMap(Key::name, key -> key));
        for (Key key : keys.values()) assertFalse(key.help().isEmpty(), key.name());
        assertEquals(Key.Kind.SECRET, keys.get("api_key").kind());
        assertEquals(Key.Kind.MILLISECONDS, keys.get("total_timeout_ms").kind());
        assertTrue(keys.get("total_timeout_ms").isOption());
        assertFalse(keys.get("proxy").isOption());
        assertEquals("2", keys.get("max_retries").defaultValue());
        assertEquals(List.of("auto", "chat", "responses"), keys.get("api").choices());
        assertThrows(TolmachException.Argument.class, () -> Tolmach.keys("nobody"));
        assertThrows(NullPointerException.class, () -> Tolmach.keys(null));
    }

    @Test
    void durationsAreMilliseconds() {
        assertEquals("1500", Setting.totalTimeout(Duration.ofMillis(1500)).value());
        assertEquals("1", Setting.totalTimeout(Duration.ofNanos(1)).value());
        assertEquals("0", Setting.totalTimeout(Duration.ZERO).value());
        assertEquals("-1", Setting.totalTimeout(Setting.NO_LIMIT).value());
        assertEquals("{\"X-One\":\"1\"}", Setting.headers(Map.of("X-One", "1")).value());
    }

    @Test
    void settingIsOfAClientOrOfARequest() {
        try (Client client = Client.builder("openai")
                        .set(Setting.baseUrl(Stage.URL), Setting.apiKey(Stage.KEY), Setting.proxy("direct"), Setting.maxRetries(0))
                        .build();
                Request request = new Request("silent")
                        .message("user", Stage.unique())
                        .option(Setting.totalTimeout(Duration.ofMillis(50)))) {
            assertThrows(TolmachException.Timeout.class, () -> client.ask(request));
            assertThrows(TolmachException.Argument.class, () -> request.option(Setting.proxy("direct")));
        }
    }
}
