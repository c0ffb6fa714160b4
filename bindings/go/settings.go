package tolmach

// #include <tolmach.h>
import "C"

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// An Option sets something of a client's config, or of one request: a [Setting], which the
// functions With... make, a whole [Config], or nil for nothing. [NewClient] takes them, and
// [Request.Option] takes those whose [Key] has IsOption.
type Option interface {
	set(settable) error
}

// settable is what options are set on: a config or a request.
type settable interface {
	key(key string, value *string) error
	header(name, value string) error
}

// A Config is keys and values as text, such as a program's own settings: api_key, base_url,
// model, proxy and the other keys that [Keys] lists. What is not set has its default.
type Config map[string]string

func (c Config) set(on settable) error {
	for key, value := range c {
		if err := on.key(key, &value); err != nil {
			return err
		}
	}
	return nil
}

// A Setting is one key and its value. Durations are in milliseconds, -1 for no limit.
type Setting struct {
	Key, Value string
}

func (s Setting) set(on settable) error {
	return on.key(s.Key, &s.Value)
}

type defaultSetting string

func (d defaultSetting) set(on settable) error {
	return on.key(string(d), nil)
}

// WithDefault takes a key back to its default; for a request, to the config's value.
func WithDefault(key string) Option {
	return defaultSetting(key)
}

type headerSetting struct {
	name, value string
}

func (h headerSetting) set(on settable) error {
	return on.header(h.name, h.value)
}

// WithHeader adds one header to those that every request of the client is sent with. For one
// request there is [WithHeaders].
func WithHeader(name, value string) Option {
	return headerSetting{name, value}
}

// NoLimit is the duration of a deadline that never passes.
const NoLimit time.Duration = -1

func duration(key string, value time.Duration) Setting {
	if value < 0 {
		return Setting{key, "-1"}
	}
	milliseconds := value.Milliseconds()
	// What is shorter than a millisecond is still a deadline.
	if value%time.Millisecond > 0 {
		milliseconds++
	}
	return number(key, milliseconds)
}

func number(key string, value int64) Setting {
	return Setting{key, strconv.FormatInt(value, 10)}
}

func boolean(key string, value bool) Setting {
	return Setting{key, strconv.FormatBool(value)}
}

// object is a setting whose value is a JSON object. A nil map is an empty one.
func object[V string | []string](key string, value map[string]V) Setting {
	if value == nil {
		value = map[string]V{}
	}
	data, _ := json.Marshal(value) // which never fails for strings
	return Setting{key, string(data)}
}

// The settings of every provider.

// WithAPIKey is the credential of most providers; the default is the provider's environment
// variable, and empty is for a server that needs none.
func WithAPIKey(key string) Setting {
	return Setting{"api_key", key}
}

// WithBaseURL says where the API is; if it has a query, every request has it.
func WithBaseURL(url string) Setting {
	return Setting{"base_url", url}
}

// WithModel names the model of requests that name none.
func WithModel(name string) Setting {
	return Setting{"model", name}
}

// WithHeaders are sent with every request. Those of one request are added to those of the config.
func WithHeaders(headers map[string]string) Setting {
	return object("headers", headers)
}

// WithProxy is a URL, "direct" or "environment", the default.
func WithProxy(proxy string) Setting {
	return Setting{"proxy", proxy}
}

// WithCAFile names a PEM file of more certificates to trust.
func WithCAFile(path string) Setting {
	return Setting{"ca_file", path}
}

// WithCAPEM is more certificates to trust, as PEM.
func WithCAPEM(pem string) Setting {
	return Setting{"ca_pem", pem}
}

// WithTLSRoots is "bundled" (default), "platform" or "only_ca".
func WithTLSRoots(roots string) Setting {
	return Setting{"tls_roots", roots}
}

// WithTLSVerify false trusts any server; for tests only.
func WithTLSVerify(verify bool) Setting {
	return boolean("tls_verify", verify)
}

// WithTLSPins are SHA-256 hashes of public keys in base64, one of which the server's chain has to
// contain.
func WithTLSPins(pins ...string) Setting {
	return Setting{"tls_pins", strings.Join(pins, ",")}
}

// WithClientCert is the client's certificate, as PEM or the path of a PEM file.
func WithClientCert(pem string) Setting {
	return Setting{"client_cert", pem}
}

// WithClientKey is the key of the client's certificate, as PEM or the path of a PEM file.
func WithClientKey(pem string) Setting {
	return Setting{"client_key", pem}
}

// WithConnectTimeout limits resolving, connecting, proxy and TLS together.
func WithConnectTimeout(limit time.Duration) Setting {
	return duration("connect_timeout_ms", limit)
}

// WithFirstByteTimeout limits the time from the request to the first chunk.
func WithFirstByteTimeout(limit time.Duration) Setting {
	return duration("first_byte_timeout_ms", limit)
}

// WithIdleTimeout limits the time between chunks.
func WithIdleTimeout(limit time.Duration) Setting {
	return duration("idle_timeout_ms", limit)
}

// WithTotalTimeout limits everything together, retries included.
func WithTotalTimeout(limit time.Duration) Setting {
	return duration("total_timeout_ms", limit)
}

// WithMaxRetries says how often a request is sent again, before its first chunk.
func WithMaxRetries(count int) Setting {
	return number("max_retries", int64(count))
}

// WithMaxEventBytes limits one event of an answer.
func WithMaxEventBytes(limit int64) Setting {
	return number("max_event_bytes", limit)
}

// WithMaxErrorBytes limits the body of an error.
func WithMaxErrorBytes(limit int64) Setting {
	return number("max_error_bytes", limit)
}

// WithMaxHeaderBytes limits the headers of a response.
func WithMaxHeaderBytes(limit int64) Setting {
	return number("max_header_bytes", limit)
}

// WithMaxJSONDepth limits the levels of JSON in one event.
func WithMaxJSONDepth(limit int) Setting {
	return number("max_json_depth", int64(limit))
}

// WithMaxToolCalls limits the tool calls and choices of one answer.
func WithMaxToolCalls(limit int) Setting {
	return number("max_tool_calls", int64(limit))
}

// WithMaxReplyBytes limits what [Request.Reply] keeps of an answer.
func WithMaxReplyBytes(limit int64) Setting {
	return number("max_reply_bytes", limit)
}

// WithQueueBytes limits the chunks that wait for the program before the provider has to wait.
func WithQueueBytes(limit int64) Setting {
	return number("queue_bytes", limit)
}

// WithUserAgent is the User-Agent of every request.
func WithUserAgent(name string) Setting {
	return Setting{"user_agent", name}
}

// WithRecordFile names a new file, where the answers of servers are recorded.
func WithRecordFile(path string) Setting {
	return Setting{"record_file", path}
}

// WithReplayFile names a recording that answers come from, instead of the network.
func WithReplayFile(path string) Setting {
	return Setting{"replay_file", path}
}

// WithReplayTiming true replays a recording with its pauses.
func WithReplayTiming(keep bool) Setting {
	return boolean("replay_timing", keep)
}

// WithRawChunks true adds every undecoded event as a [ChunkRaw].
func WithRawChunks(add bool) Setting {
	return boolean("raw_chunks", add)
}

// WithRetryChunks true adds a [ChunkRetry] before each wait for another try.
func WithRetryChunks(add bool) Setting {
	return boolean("retry_chunks", add)
}

// WithModelAliases gives models, or lists of models to choose from, names of your own.
func WithModelAliases(models map[string][]string) Setting {
	return object("model_aliases", models)
}

// WithEstimateUsage true counts tokens by their length where the provider counts none.
func WithEstimateUsage(estimate bool) Setting {
	return boolean("estimate_usage", estimate)
}

// WithHeal false sends every request exactly as it is given.
func WithHeal(heal bool) Setting {
	return boolean("heal", heal)
}

// WithFetchURLs true lets the library fetch attached URLs for a provider that does not.
func WithFetchURLs(fetch bool) Setting {
	return boolean("fetch_urls", fetch)
}

// WithFetchPrivateURLs true lets it fetch from private addresses as well.
func WithFetchPrivateURLs(fetch bool) Setting {
	return boolean("fetch_private_urls", fetch)
}

// The settings of some providers.

// WithEndpoint is the whole URL of the call, instead of base_url and a path.
func WithEndpoint(url string) Setting {
	return Setting{"endpoint", url}
}

// WithAPI is "auto" (default), "chat" or "responses", for "openai".
func WithAPI(api string) Setting {
	return Setting{"api", api}
}

// WithOrganization is sent as OpenAI-Organization.
func WithOrganization(id string) Setting {
	return Setting{"organization", id}
}

// WithProject is sent as OpenAI-Project.
func WithProject(id string) Setting {
	return Setting{"project", id}
}

// WithThinkTags true takes the text between <think> and </think> for reasoning, for "openai".
func WithThinkTags(parse bool) Setting {
	return boolean("think_tags", parse)
}

// WithFallbackModels are the models of a server that lists none, for "openai".
func WithFallbackModels(names ...string) Setting {
	return Setting{"fallback_models", strings.Join(names, ",")}
}

// WithAuthScheme says how the key is sent; the provider's key lists the choices.
func WithAuthScheme(scheme string) Setting {
	return Setting{"auth_scheme", scheme}
}

// WithBackground true lets "openai-responses" go on with an answer whose connection is lost.
func WithBackground(background bool) Setting {
	return boolean("background", background)
}

// WithAnthropicVersion is the version of the API, for "anthropic".
func WithAnthropicVersion(date string) Setting {
	return Setting{"anthropic_version", date}
}

// WithAnthropicBeta are names of betas, for "anthropic".
func WithAnthropicBeta(names ...string) Setting {
	return Setting{"anthropic_beta", strings.Join(names, ",")}
}

// WithScope is GIGACHAT_API_PERS (default), GIGACHAT_API_B2B or GIGACHAT_API_CORP, for "gigachat".
func WithScope(scope string) Setting {
	return Setting{"scope", scope}
}

// WithAuthURL is the whole URL that tokens come from, for "gigachat".
func WithAuthURL(url string) Setting {
	return Setting{"auth_url", url}
}

// WithAccessToken is a token of your own, instead of the key, for "gigachat".
func WithAccessToken(token string) Setting {
	return Setting{"access_token", token}
}

// WithUser is used together with [WithPassword] instead of a key, for "gigachat".
func WithUser(name string) Setting {
	return Setting{"user", name}
}

// WithPassword is used together with [WithUser].
func WithPassword(password string) Setting {
	return Setting{"password", password}
}

// WithAPIVersion is "v1" (default) or "v2", for "gigachat".
func WithAPIVersion(version string) Setting {
	return Setting{"api_version", version}
}

// WithCookie is sent as it is, for "ai365vip", "amigochat" and "aichats".
func WithCookie(cookie string) Setting {
	return Setting{"cookie", cookie}
}

// A KeyKind says what the values of a key are. The set is open: take a kind you do not know for
// KeyText.
type KeyKind int32

const (
	// KeyText: any text.
	KeyText KeyKind = C.TOLMACH_KEY_TEXT
	// KeySecret: text that is not to be shown, such as an API key.
	KeySecret KeyKind = C.TOLMACH_KEY_SECRET
	// KeyURL: an http or https URL.
	KeyURL KeyKind = C.TOLMACH_KEY_URL
	// KeyFile: the path of a file.
	KeyFile KeyKind = C.TOLMACH_KEY_FILE
	// KeyNumber: a whole number, 0 or more.
	KeyNumber KeyKind = C.TOLMACH_KEY_NUMBER
	// KeyMilliseconds: a number of milliseconds; -1 is no limit.
	KeyMilliseconds KeyKind = C.TOLMACH_KEY_MILLISECONDS
	// KeyBoolean: "true" or "false".
	KeyBoolean KeyKind = C.TOLMACH_KEY_BOOLEAN
	// KeyJSON: a JSON object.
	KeyJSON KeyKind = C.TOLMACH_KEY_JSON
	// KeyChoice: one of the key's Choices.
	KeyChoice KeyKind = C.TOLMACH_KEY_CHOICE
)

// A Key is one that a provider's config has, for settings pages, completion and checks.
type Key struct {
	Name string
	// Kind says what its values are.
	Kind KeyKind
	// Default is what it is until it is set; empty for nothing, and where Help says more.
	Default string
	// Choices are the values there are, for KeyChoice.
	Choices []string
	// Help is what it means, in English.
	Help string
	// IsOption tells whether [Request.Option] can set it for one request.
	IsOption bool
}

// Keys lists the keys of a provider's config.
func Keys(provider string) ([]Key, error) {
	config, err := newConfig(provider)
	if err != nil {
		return nil, err
	}
	defer C.tolmach_config_free(config.object)
	keys := make([]Key, C.tolmach_config_key_count(config.object))
	for i := range keys {
		given := C.tolmach_config_key_get(config.object, C.size_t(i))
		keys[i] = Key{
			Name:     text(given.name),
			Kind:     KeyKind(given.kind),
			Default:  text(given.default_value),
			Help:     text(given.help),
			IsOption: given.is_option != 0,
		}
		if choices := text(given.choices); choices != "" {
			keys[i].Choices = strings.Split(choices, ",")
		}
	}
	return keys, nil
}

// config is one on its way to a client.
type config struct {
	object *C.tolmach_config
}

func newConfig(provider string) (config, error) {
	name, err := terminated("a provider", provider)
	if err != nil {
		return config{}, err
	}
	var made config
	var failure *C.tolmach_error
	err = outcome(C.tolmach_config_new(name, &made.object, &failure), failure)
	return made, err
}

func (c config) key(key string, value *string) error {
	return setKey(key, value, func(key, value *C.char) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_config_set(c.object, key, value, &failure), failure)
	})
}

func (c config) header(name, value string) error {
	return setKey(name, &value, func(name, value *C.char) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_config_header(c.object, name, value, &failure), failure)
	})
}

// setKey gives set a key, and a value or NULL, as C takes them.
func setKey(key string, value *string, set func(key, value *C.char) error) error {
	name, err := terminated("a key", key)
	if err != nil {
		return err
	}
	if value == nil {
		return set(name, nil)
	}
	given, err := terminated("a value", *value)
	if err != nil {
		return err
	}
	return set(name, given)
}
