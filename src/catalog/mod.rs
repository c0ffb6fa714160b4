//! The providers as data: who they are, what they can do, and which dialect they speak.

use crate::capabilities::Capabilities;

/// A service that this build can talk to.
pub struct Provider {
    /// The name to configure it by.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Its site.
    pub url: &'static str,
    /// Where its API is, unless the config says otherwise.
    pub base_url: &'static str,
    /// The model asked when neither request nor config names one; "" for none.
    pub default_model: &'static str,
    /// The environment variable where its key is usually kept; "" for none.
    pub api_key_env: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The config keys of its own, beyond those that every provider has.
    pub keys: &'static [&'static str],
    /// The ways to send its key, as `auth_scheme` names them; the first is the usual one.
    pub(crate) auth_schemes: &'static [&'static str],
    /// A root certificate in PEM that its servers alone are known by: trusted by its own
    /// clients, in addition to the others, and by nobody else.
    pub(crate) extra_root: Option<&'static str>,
    pub(crate) dialect: Dialect,
}

/// The dialects of this build; `dialects` speaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAiChat,
    OpenAiResponses,
    Anthropic,
    GigaChat,
    Ai365Vip,
    AmigoChat,
    AiChats,
    Gemini,
}

impl Dialect {
    /// The name under which a message keeps what goes back in this dialect.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dialect::OpenAiChat => "openai",
            Dialect::OpenAiResponses => "openai-responses",
            Dialect::Anthropic => "anthropic",
            Dialect::GigaChat => "gigachat",
            Dialect::Ai365Vip => "ai365vip",
            Dialect::AmigoChat => "amigochat",
            Dialect::AiChats => "aichats",
            Dialect::Gemini => "gemini",
        }
    }

    /// Another environment variable where a key may be kept; "" for none.
    pub(crate) fn other_api_key_env(self) -> &'static str {
        match self {
            Dialect::Gemini => "GOOGLE_API_KEY",
            _ => "",
        }
    }
}

/// Every provider of this build.
pub fn all() -> &'static [Provider] {
    PROVIDERS
}

/// The provider of that name.
pub fn find(name: &str) -> Option<&'static Provider> {
    all().iter().find(|provider| provider.name == name)
}

static PROVIDERS: &[Provider] = &[
    Provider {
        name: "openai",
        label: "OpenAI",
        url: "https://platform.openai.com",
        base_url: "https://api.openai.com/v1",
        default_model: "",
        api_key_env: "OPENAI_API_KEY",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "endpoint", "api", "organization", "think_tags", "fallback_models"],
        auth_schemes: &[],
        extra_root: None,
        dialect: Dialect::OpenAiChat,
    },
    Provider {
        name: "openai-responses",
        label: "OpenAI Responses",
        url: "https://platform.openai.com",
        base_url: "https://api.openai.com/v1",
        default_model: "",
        api_key_env: "OPENAI_API_KEY",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "endpoint", "organization", "project", "auth_scheme", "background"],
        auth_schemes: &["bearer", "api-key"],
        extra_root: None,
        dialect: Dialect::OpenAiResponses,
    },
    Provider {
        name: "anthropic",
        label: "Anthropic",
        url: "https://platform.claude.com",
        base_url: "https://api.anthropic.com/v1",
        default_model: "",
        api_key_env: "ANTHROPIC_API_KEY",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "endpoint", "auth_scheme", "anthropic_version", "anthropic_beta"],
        auth_schemes: &["x-api-key", "bearer"],
        extra_root: None,
        dialect: Dialect::Anthropic,
    },
    Provider {
        name: "gigachat",
        label: "GigaChat",
        url: "https://developers.sber.ru/gigachat",
        base_url: "https://api.giga.chat/v1",
        default_model: "GigaChat-2",
        api_key_env: "GIGACHAT_CREDENTIALS",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &[
            "api_key",
            "auth_url",
            "auth_scheme",
            "scope",
            "access_token",
            "user",
            "password",
            "api_version",
        ],
        auth_schemes: &["basic", "bearer"],
        extra_root: Some(include_str!("gigachat_root.pem")),
        dialect: Dialect::GigaChat,
    },
    Provider {
        name: "ai365vip",
        label: "AI365VIP",
        url: "https://chat.ai365vip.com",
        base_url: "https://chat.ai365vip.com",
        default_model: "gpt-3.5-turbo",
        api_key_env: "",
        capabilities: Capabilities::STREAM.with(Capabilities::LIST_MODELS),
        keys: &["cookie"],
        auth_schemes: &[],
        extra_root: None,
        dialect: Dialect::Ai365Vip,
    },
    Provider {
        name: "amigochat",
        label: "AmigoChat",
        url: "https://amigochat.io/chat/",
        base_url: "https://api.amigochat.io/v1",
        default_model: "gpt-4o-mini",
        api_key_env: "",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS),
        keys: &["cookie"],
        auth_schemes: &[],
        extra_root: None,
        dialect: Dialect::AmigoChat,
    },
    Provider {
        name: "aichats",
        label: "AiChats",
        url: "https://ai-chats.org",
        base_url: "https://ai-chats.org",
        default_model: "gpt-4",
        api_key_env: "",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS),
        keys: &["cookie"],
        auth_schemes: &[],
        extra_root: None,
        dialect: Dialect::AiChats,
    },
    Provider {
        name: "gemini",
        label: "Gemini",
        url: "https://ai.google.dev",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        default_model: "",
        api_key_env: "GEMINI_API_KEY",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "auth_scheme"],
        auth_schemes: &["x-goog-api-key", "bearer"],
        extra_root: None,
        dialect: Dialect::Gemini,
    },
];
