internal import CTolmach
import Foundation

/// One setting of a client, or of one request: `Client("openai", [.maxRetries(3)])`. There is a
/// function for each key; `Setting(key, value)` takes any by its name. Durations without a value
/// are without limit.
public struct Setting: Sendable, Hashable {
  public let key: String
  /// Its value as text; nil takes it back to its default.
  public let value: String?

  public init(_ key: String, _ value: String?) {
    self.key = key
    self.value = value
  }

  /// Takes a key back to its default; for a request, to the client's value.
  public static func `default`(_ key: String) -> Setting { Setting(key, nil) }

  private static func milliseconds(_ limit: Duration?) -> String {
    guard let limit else { return "-1" }
    // The library refuses what is below zero, and says so.
    return (try? Tolmach.milliseconds(limit)).map(String.init) ?? "\(limit)"
  }

  private static func object(_ members: some Encodable) -> String {
    // Which never fails for texts.
    (try? JSON.encode(members)) ?? ""
  }
}

/// The settings of every provider.
extension Setting {
  /// The credential of most providers; the default is the provider's environment variable, and
  /// empty is for a server that needs none.
  public static func apiKey(_ value: String) -> Setting { Setting("api_key", value) }

  /// Where the API is; if it has a query, every request has it.
  public static func baseURL(_ value: String) -> Setting { Setting("base_url", value) }

  /// The model of requests that name none.
  public static func model(_ value: String) -> Setting { Setting("model", value) }

  /// Sent with every request. Those of one request are added to those of the client.
  public static func headers(_ value: [String: String]) -> Setting {
    Setting("headers", object(value))
  }

  /// A URL, "direct" or "environment", the default.
  public static func proxy(_ value: String) -> Setting { Setting("proxy", value) }

  /// A PEM file of more certificates to trust.
  public static func caFile(_ value: String) -> Setting { Setting("ca_file", value) }

  /// More certificates to trust, as PEM.
  public static func caPEM(_ value: String) -> Setting { Setting("ca_pem", value) }

  /// "bundled" (default), "platform" or "only_ca".
  public static func tlsRoots(_ value: String) -> Setting { Setting("tls_roots", value) }

  /// False trusts any server; for tests only.
  public static func tlsVerify(_ value: Bool) -> Setting { Setting("tls_verify", String(value)) }

  /// SHA-256 hashes of public keys in base64, one of which the server's chain has to contain.
  public static func tlsPins(_ value: [String]) -> Setting {
    Setting("tls_pins", value.joined(separator: ","))
  }

  /// The client's certificate, as PEM or the path of a PEM file.
  public static func clientCert(_ value: String) -> Setting { Setting("client_cert", value) }

  /// The key of the client's certificate, as PEM or the path of a PEM file.
  public static func clientKey(_ value: String) -> Setting { Setting("client_key", value) }

  /// Limits resolving, connecting, proxy and TLS together.
  public static func connectTimeout(_ value: Duration?) -> Setting {
    Setting("connect_timeout_ms", milliseconds(value))
  }

  /// Limits the time from the request to the first chunk.
  public static func firstByteTimeout(_ value: Duration?) -> Setting {
    Setting("first_byte_timeout_ms", milliseconds(value))
  }

  /// Limits the time between chunks.
  public static func idleTimeout(_ value: Duration?) -> Setting {
    Setting("idle_timeout_ms", milliseconds(value))
  }

  /// Limits everything together, retries included.
  public static func totalTimeout(_ value: Duration?) -> Setting {
    Setting("total_timeout_ms", milliseconds(value))
  }

  /// How often a request is sent again, before its first chunk.
  public static func maxRetries(_ value: Int) -> Setting { Setting("max_retries", String(value)) }

  /// True tells of every retry, as a chunk `.retry`.
  public static func retryChunks(_ value: Bool) -> Setting {
    Setting("retry_chunks", String(value))
  }

  /// Limits one event of an answer.
  public static func maxEventBytes(_ value: Int) -> Setting {
    Setting("max_event_bytes", String(value))
  }

  /// Limits the body of an error.
  public static func maxErrorBytes(_ value: Int) -> Setting {
    Setting("max_error_bytes", String(value))
  }

  /// Limits the headers of a response.
  public static func maxHeaderBytes(_ value: Int) -> Setting {
    Setting("max_header_bytes", String(value))
  }

  /// Limits the levels of JSON in one event.
  public static func maxJSONDepth(_ value: Int) -> Setting {
    Setting("max_json_depth", String(value))
  }

  /// Limits the tool calls and choices of one answer.
  public static func maxToolCalls(_ value: Int) -> Setting {
    Setting("max_tool_calls", String(value))
  }

  /// Limits what `Session.reply` keeps of an answer.
  public static func maxReplyBytes(_ value: Int) -> Setting {
    Setting("max_reply_bytes", String(value))
  }

  /// Limits the chunks that wait for the program before the provider has to wait.
  public static func queueBytes(_ value: Int) -> Setting { Setting("queue_bytes", String(value)) }

  /// The User-Agent of every request.
  public static func userAgent(_ value: String) -> Setting { Setting("user_agent", value) }

  /// A new file, where the answers of servers are recorded.
  public static func recordFile(_ value: String) -> Setting { Setting("record_file", value) }

  /// A recording that answers come from, instead of the network.
  public static func replayFile(_ value: String) -> Setting { Setting("replay_file", value) }

  /// True replays a recording with its pauses.
  public static func replayTiming(_ value: Bool) -> Setting {
    Setting("replay_timing", String(value))
  }

  /// True adds every undecoded event, as a chunk `.raw`.
  public static func rawChunks(_ value: Bool) -> Setting { Setting("raw_chunks", String(value)) }

  /// Names of your own for models, or for lists of models to choose from.
  public static func modelAliases(_ value: [String: [String]]) -> Setting {
    Setting("model_aliases", object(value))
  }

  /// True counts tokens by their length where the provider counts none.
  public static func estimateUsage(_ value: Bool) -> Setting {
    Setting("estimate_usage", String(value))
  }

  /// False sends every request exactly as it is given.
  public static func heal(_ value: Bool) -> Setting { Setting("heal", String(value)) }

  /// True lets the library fetch attached URLs for a provider that does not.
  public static func fetchURLs(_ value: Bool) -> Setting { Setting("fetch_urls", String(value)) }

  /// True lets it fetch from private addresses as well.
  public static func fetchPrivateURLs(_ value: Bool) -> Setting {
    Setting("fetch_private_urls", String(value))
  }
}

/// The settings of some providers.
extension Setting {
  /// The whole URL of the call, instead of base URL and path.
  public static func endpoint(_ value: String) -> Setting { Setting("endpoint", value) }

  /// "auto" (default), "chat" or "responses", for "openai".
  public static func api(_ value: String) -> Setting { Setting("api", value) }

  /// Sent as OpenAI-Organization.
  public static func organization(_ value: String) -> Setting { Setting("organization", value) }

  /// Sent as OpenAI-Project.
  public static func project(_ value: String) -> Setting { Setting("project", value) }

  /// True takes the text between <think> and </think> for reasoning, for "openai".
  public static func thinkTags(_ value: Bool) -> Setting { Setting("think_tags", String(value)) }

  /// The models of a server that lists none, for "openai".
  public static func fallbackModels(_ value: [String]) -> Setting {
    Setting("fallback_models", value.joined(separator: ","))
  }

  /// How the key is sent; the provider's key lists the choices.
  public static func authScheme(_ value: String) -> Setting { Setting("auth_scheme", value) }

  /// True lets "openai-responses" go on with an answer whose connection is lost.
  public static func background(_ value: Bool) -> Setting { Setting("background", String(value)) }

  /// The version of the API, for "anthropic".
  public static func anthropicVersion(_ value: String) -> Setting {
    Setting("anthropic_version", value)
  }

  /// Names of betas, for "anthropic".
  public static func anthropicBeta(_ value: [String]) -> Setting {
    Setting("anthropic_beta", value.joined(separator: ","))
  }

  /// GIGACHAT_API_PERS (default), GIGACHAT_API_B2B or GIGACHAT_API_CORP, for "gigachat".
  public static func scope(_ value: String) -> Setting { Setting("scope", value) }

  /// The whole URL that tokens come from, for "gigachat".
  public static func authURL(_ value: String) -> Setting { Setting("auth_url", value) }

  /// A token of your own, instead of the key, for "gigachat".
  public static func accessToken(_ value: String) -> Setting { Setting("access_token", value) }

  /// Used together with `password` instead of a key, for "gigachat".
  public static func user(_ value: String) -> Setting { Setting("user", value) }

  /// Used together with `user`.
  public static func password(_ value: String) -> Setting { Setting("password", value) }

  /// "v1" (default) or "v2", for "gigachat".
  public static func apiVersion(_ value: String) -> Setting { Setting("api_version", value) }

  /// Sent as it is, for "ai365vip", "amigochat" and "aichats".
  public static func cookie(_ value: String) -> Setting { Setting("cookie", value) }
}

/// A key of a provider's settings, for settings pages, completion and checks.
public struct Key: Sendable, Hashable {
  /// What the values of a key are. The set is open: take one that you do not know for text.
  public enum Kind: Sendable, Hashable {
    case text
    /// Text that is not to be shown, such as an API key.
    case secret
    /// An http or https URL.
    case url
    /// The path of a file.
    case file
    /// A whole number, 0 or more.
    case number
    /// A number of milliseconds; -1 is no limit.
    case milliseconds
    /// "true" or "false".
    case boolean
    /// A JSON object.
    case json
    /// One of the key's `choices`.
    case choice
    /// A kind that only a later version of the library knows, by its number.
    case unknown(Int32)
  }

  public let name: String
  public let kind: Kind
  /// What it is until it is set; nil for nothing, and where `help` says more.
  public let defaultValue: String?
  /// The values there are, for `.choice`.
  public let choices: [String]
  /// What it means, in English.
  public let help: String
  /// Whether `Request.option` can set it for one request.
  public let isOption: Bool

  init(_ key: tolmach_config_key) {
    name = String(key.name)
    kind =
      switch key.kind {
      case TOLMACH_KEY_TEXT: .text
      case TOLMACH_KEY_SECRET: .secret
      case TOLMACH_KEY_URL: .url
      case TOLMACH_KEY_FILE: .file
      case TOLMACH_KEY_NUMBER: .number
      case TOLMACH_KEY_MILLISECONDS: .milliseconds
      case TOLMACH_KEY_BOOLEAN: .boolean
      case TOLMACH_KEY_JSON: .json
      case TOLMACH_KEY_CHOICE: .choice
      default: .unknown(key.kind)
      }
    defaultValue = String(key.default_value).unlessEmpty
    choices = String(key.choices).split(separator: ",").map(String.init)
    help = String(key.help)
    isOption = key.is_option != 0
  }
}

extension Provider {
  /// The keys of its settings.
  public var keys: [Key] {
    get throws {
      let config = try Handle(freedBy: tolmach_config_free) { tolmach_config_new(name, $0, $1) }
      return config.use { config in
        (0..<tolmach_config_key_count(config)).compactMap { at in
          tolmach_config_key_get(config, at).map { Key($0.pointee) }
        }
      }
    }
  }
}

extension Client {
  /// Makes a client of typed settings. The last of a key counts. Touches no network.
  ///
  /// - Throws: as the other initializers.
  public convenience init(_ provider: String, _ settings: [Setting]) throws {
    try refuseNUL(provider, in: "the provider's name")
    try self.init(
      config: Handle(freedBy: tolmach_config_free) { tolmach_config_new(provider, $0, $1) },
      settings)
  }

  /// Makes a client of JSON, such as a part of a program's own settings file: an object with
  /// "provider" and any of its keys. Then come `settings`, the last of a key counts. Touches no
  /// network.
  public convenience init(json: String, _ settings: [Setting] = []) throws {
    let config = try Handle(freedBy: tolmach_config_free) { out, error in
      json.withCString { tolmach_config_from_json($0, json.utf8.count, out, error) }
    }
    try self.init(config: config, settings)
  }
}

extension Request {
  /// Gives settings other values for this request alone, such as `.totalTimeout(.seconds(5))`:
  /// those whose `Key.isOption` is true. They are never sent, and not part of `json`. Where one
  /// is refused, those before it are set.
  public mutating func option(_ settings: Setting...) throws {
    for setting in settings {
      try setting.refuseNULs()
      try change { request, error in
        tolmach_request_option(request, setting.key, setting.value, error)
      }
    }
  }

  /// How many messages it has.
  public var count: Int { use { tolmach_request_count($0) } }
}

extension Setting {
  func refuseNULs() throws {
    try refuseNUL(key, in: "a key of the settings")
    try refuseNUL(value ?? "", in: "the value of \(key)")
  }
}
