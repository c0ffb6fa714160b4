package tolmach_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

// A setting of each key, by its own function.
var everySetting = []tolmach.Setting{
	tolmach.WithAPIKey("key"),
	tolmach.WithBaseURL("http://localhost"),
	tolmach.WithModel("model"),
	tolmach.WithHeaders(map[string]string{"X-Name": "value"}),
	tolmach.WithProxy("direct"),
	tolmach.WithCAFile("ca.pem"),
	tolmach.WithCAPEM("pem"),
	tolmach.WithTLSRoots("bundled"),
	tolmach.WithTLSVerify(false),
	tolmach.WithTLSPins("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	tolmach.WithClientCert("cert.pem"),
	tolmach.WithClientKey("key.pem"),
	tolmach.WithConnectTimeout(time.Second),
	tolmach.WithFirstByteTimeout(time.Second),
	tolmach.WithIdleTimeout(time.Second),
	tolmach.WithTotalTimeout(tolmach.NoLimit),
	tolmach.WithMaxRetries(1),
	tolmach.WithMaxEventBytes(1 << 20),
	tolmach.WithMaxErrorBytes(1 << 20),
	tolmach.WithMaxHeaderBytes(1 << 20),
	tolmach.WithMaxJSONDepth(100),
	tolmach.WithMaxToolCalls(100),
	tolmach.WithMaxReplyBytes(1 << 20),
	tolmach.WithQueueBytes(1 << 20),
	tolmach.WithUserAgent("agent"),
	tolmach.WithRecordFile("recording"),
	tolmach.WithReplayFile("recording"),
	tolmach.WithReplayTiming(true),
	tolmach.WithRawChunks(true),
	tolmach.WithRetryChunks(true),
	tolmach.WithModelAliases(map[string][]string{"mine": {"one", "other"}}),
	tolmach.WithEstimateUsage(true),
	tolmach.WithHeal(false),
	tolmach.WithFetchURLs(true),
	tolmach.WithFetchPrivateURLs(true),
	tolmach.WithEndpoint("http://localhost/chat"),
	tolmach.WithAPI("chat"),
	tolmach.WithOrganization("organization"),
	tolmach.WithProject("project"),
	tolmach.WithThinkTags(true),
	tolmach.WithFallbackModels("one", "other"),
	tolmach.WithAuthScheme("bearer"),
	tolmach.WithBackground(true),
	tolmach.WithAnthropicVersion("2023-06-01"),
	tolmach.WithAnthropicBeta("one", "other"),
	tolmach.WithScope("GIGACHAT_API_CORP"),
	tolmach.WithAuthURL("http://localhost/token"),
	tolmach.WithAccessToken("token"),
	tolmach.WithUser("user"),
	tolmach.WithPassword("password"),
	tolmach.WithAPIVersion("v2"),
	tolmach.WithCookie("cookie"),
}

func TestEveryKeyHasASettingThatItsProviderTakes(t *testing.T) {
	t.Parallel()
	settings := map[string]tolmach.Setting{}
	for _, setting := range everySetting {
		settings[setting.Key] = setting
	}
	used := map[string]bool{}
	for _, provider := range tolmach.Providers() {
		keys, err := tolmach.Keys(provider.Name)
		must(t, err)
		for _, key := range keys {
			setting, ok := settings[key.Name]
			if !ok {
				t.Errorf("no function makes a setting of %s's key %q", provider.Name, key.Name)
				continue
			}
			used[key.Name] = true
			// What else is wrong with all of them together, a client says after the keys.
			_, err := tolmach.NewClient(provider.Name, tolmach.WithAPIKey("key"), setting)
			if err != nil && strings.Contains(err.Error(), `key "`+key.Name+`"`) {
				t.Errorf("%s: %v", provider.Name, err)
			}
		}
	}
	for _, setting := range everySetting {
		if !used[setting.Key] {
			t.Errorf("%q is not a key of any provider", setting.Key)
		}
	}
}

func TestKeysSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	keys, err := tolmach.Keys("openai")
	must(t, err)
	byName := map[string]tolmach.Key{}
	for _, key := range keys {
		byName[key.Name] = key
		want(t, key.Help != "", true)
	}
	want(t, byName["api_key"].Kind, tolmach.KeySecret)
	want(t, byName["total_timeout_ms"].Kind, tolmach.KeyMilliseconds)
	want(t, byName["total_timeout_ms"].IsOption, true)
	want(t, byName["proxy"].IsOption, false)
	want(t, byName["max_retries"].Default, "2")
	want(t, strings.Join(byName["api"].Choices, " "), "auto chat responses")
	_, err = tolmach.Keys("nobody")
	wantIs(t, err, tolmach.ErrArgument)
}

func TestDurationsAreMilliseconds(t *testing.T) {
	t.Parallel()
	for limit, value := range map[time.Duration]string{
		1500 * time.Millisecond: "1500", time.Nanosecond: "1", 0: "0", tolmach.NoLimit: "-1", -time.Hour: "-1",
		1<<63 - 1: "9223372036855",
	} {
		want(t, tolmach.WithTotalTimeout(limit), tolmach.Setting{Key: "total_timeout_ms", Value: value})
	}
}

// echo gives the headers of the request that an answer was asked for with.
func echo(t *testing.T, config ...tolmach.Option) (*tolmach.Client, <-chan http.Header) {
	t.Helper()
	headers := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	options := []tolmach.Option{tolmach.WithBaseURL(server.URL), tolmach.WithProxy("direct"),
		tolmach.WithMaxRetries(0), tolmach.WithAPIKey("")}
	client, err := tolmach.NewClient("openai", append(options, config...)...)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client, headers
}

func TestHeadersOfClientAndRequestAreSent(t *testing.T) {
	t.Parallel()
	client, headers := echo(t, tolmach.WithHeaders(map[string]string{"X-One": "1"}), tolmach.WithHeader("X-Two", "2"))
	request := newRequest(t, "any", "hello")
	must(t, request.Option(tolmach.WithHeaders(map[string]string{"X-Three": "3"})))
	wantIs(t, request.Option(tolmach.WithHeader("X-Four", "4")), tolmach.ErrArgument)
	_, err := client.Ask(t.Context(), request)
	wantIs(t, err, tolmach.ErrServer)
	sent := <-headers
	want(t, sent.Get("X-One")+sent.Get("X-Two")+sent.Get("X-Three")+sent.Get("X-Four"), "123")
	must(t, request.Option(tolmach.WithDefault("headers")))
	_, err = client.Ask(t.Context(), request)
	wantIs(t, err, tolmach.ErrServer)
	sent = <-headers
	want(t, sent.Get("X-One")+sent.Get("X-Three"), "1")
}

func TestOptionIsForOneRequest(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	request := newRequest(t, "silent", unique(t))
	must(t, request.Option(tolmach.WithTotalTimeout(50*time.Millisecond), nil))
	_, err := client.Ask(t.Context(), request)
	wantIs(t, err, tolmach.ErrTimeout)
	// A copy has it as well, and neither sends it.
	copied, err := request.Clone()
	must(t, err)
	_, err = client.Ask(t.Context(), copied)
	wantIs(t, err, tolmach.ErrTimeout)
	data, err := copied.MarshalJSON()
	must(t, err)
	want(t, strings.Contains(string(data), "timeout"), false)

	must(t, request.Set("model", "words"))
	must(t, request.Option(tolmach.WithDefault("total_timeout_ms")))
	_, err = client.Ask(t.Context(), request)
	must(t, err)
	wantIs(t, request.Option(tolmach.WithProxy("direct")), tolmach.ErrArgument)
	wantIs(t, request.Option(tolmach.WithMaxRetries(-7)), tolmach.ErrArgument)
}

func TestClientIsMadeOfJSON(t *testing.T) {
	t.Parallel()
	settings := `{"provider":"openai","api_key":"x","max_retries":0,"headers":{"X-One":"1"},"base_url":"http://nothing.invalid"}`
	client, err := tolmach.ParseClient([]byte(settings),
		tolmach.WithBaseURL(environment(t, "TOLMACH_TEST_URL")), tolmach.WithProxy("direct"),
		tolmach.WithAPIKey(environment(t, "TOLMACH_TEST_KEY")))
	must(t, err)
	defer client.Close()
	want(t, answer(t, client, "words", "hello"), "One two three.")
	for _, wrong := range []string{"", "{", `{"provider":"nobody"}`, `{"provider":"openai","colour":"blue"}`} {
		_, err := tolmach.ParseClient([]byte(wrong))
		wantIs(t, err, tolmach.ErrArgument)
	}
}

func TestLastOptionCounts(t *testing.T) {
	t.Parallel()
	_, err := tolmach.NewClient("openai", tolmach.Config{"api_key": "x", "proxy": "direct"},
		tolmach.Setting{Key: "max_retries", Value: "3"}, tolmach.WithDefault("max_retries"), nil)
	must(t, err)
	client, headers := echo(t, tolmach.WithUserAgent("one"), tolmach.WithUserAgent("other"))
	_, err = client.Ask(t.Context(), newRequest(t, "any", "hello"))
	wantIs(t, err, tolmach.ErrServer)
	want(t, (<-headers).Get("User-Agent"), "other")
}

func TestErrorsAreTransientOrNot(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	for model, transient := range map[string]bool{
		"status-400": false, "status-401": false, "quota": false,
		"status-429": true, "status-503": true, "truncated": true,
	} {
		err := failure(t, client, model)
		want(t, err.IsTransient(), transient)
		want(t, err.Status.IsTransient(), transient)
	}
}
