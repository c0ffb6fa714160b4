internal import CTolmach

/// What a provider or a model can do. The set is open: later versions may add to it.
public struct Capabilities: OptionSet, Hashable, Sendable {
  public let rawValue: Int32

  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Answers arrive as they are written.
  public static let stream = Capabilities(rawValue: TOLMACH_CAN_STREAM)
  /// Takes a conversation; otherwise it is folded into one prompt.
  public static let history = Capabilities(rawValue: TOLMACH_CAN_HISTORY)
  /// Takes system messages.
  public static let system = Capabilities(rawValue: TOLMACH_CAN_SYSTEM)
  /// Calls tools.
  public static let tools = Capabilities(rawValue: TOLMACH_CAN_TOOLS)
  /// Reads images.
  public static let vision = Capabilities(rawValue: TOLMACH_CAN_VISION)
  /// Makes images.
  public static let images = Capabilities(rawValue: TOLMACH_CAN_IMAGES)
  /// Lists its models.
  public static let listModels = Capabilities(rawValue: TOLMACH_CAN_LIST_MODELS)
  /// Wants credentials.
  public static let needsAuth = Capabilities(rawValue: TOLMACH_NEEDS_AUTH)
  /// The service is believed to be up.
  public static let working = Capabilities(rawValue: TOLMACH_WORKING)
}

/// A provider that the library can talk to.
public struct Provider: Hashable, Sendable {
  /// The name to make a client by, such as "openai".
  public let name: String
  /// Its name for people.
  public let label: String
  /// Its site.
  public let url: String
  /// Where its API is, unless the setting `base_url` says otherwise.
  public let baseURL: String
  /// The model asked when nobody names one; nil: name one.
  public let defaultModel: String?
  /// The environment variable where its key is usually kept.
  public let keyVariable: String?
  public let capabilities: Capabilities

  /// Every provider that the library can talk to.
  public static var all: [Provider] {
    (0..<tolmach_provider_count()).compactMap { tolmach_provider_get($0).map(Provider.init) }
  }

  /// The provider of that name, if there is one.
  public init?(named name: String) {
    guard !name.utf8.contains(0), let found = tolmach_provider_find(name) else { return nil }
    self.init(found)
  }

  private init(_ provider: UnsafePointer<tolmach_provider>) {
    name = String(provider.pointee.name)
    label = String(provider.pointee.label)
    url = String(provider.pointee.url)
    baseURL = String(provider.pointee.base_url)
    defaultModel = String(provider.pointee.default_model).unlessEmpty
    keyVariable = String(provider.pointee.api_key_env).unlessEmpty
    capabilities = Capabilities(rawValue: provider.pointee.capabilities)
  }
}
