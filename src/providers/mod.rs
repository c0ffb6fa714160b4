//! The providers: a file each for a protocol, and the registry of who speaks which.
//!
//! A provider is straight-line blocking code. Its whole world is [`Call`]: it sends HTTP
//! and takes chunks. It never sees a thread, a queue or a C type.

mod ai365vip;
mod aichats;
mod amigochat;
mod gigachat;
mod openai;
mod state;
mod tags;

use once_cell::race::OnceBox;

use crate::call::Call;
use crate::config::Config;
use crate::error::Result;
use crate::model::Model;
use crate::request::Request;
use crate::transport::Headers;

/// What a provider or a model can do: a set of the ABI's `TOLMACH_CAN_*` bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(i32);

impl Capabilities {
    /// Nothing that is known.
    pub const NONE: Capabilities = Capabilities(0);
    /// Answers arrive as they are written.
    pub const STREAM: Capabilities = Capabilities(1);
    /// Takes a conversation; otherwise it is folded into one prompt.
    pub const HISTORY: Capabilities = Capabilities(2);
    /// Takes system messages.
    pub const SYSTEM: Capabilities = Capabilities(4);
    /// Calls tools.
    pub const TOOLS: Capabilities = Capabilities(8);
    /// Reads images.
    pub const VISION: Capabilities = Capabilities(16);
    /// Makes images.
    pub const IMAGES: Capabilities = Capabilities(32);
    /// Lists its models.
    pub const LIST_MODELS: Capabilities = Capabilities(64);
    /// Wants credentials.
    pub const NEEDS_AUTH: Capabilities = Capabilities(128);
    /// The service is believed to be up.
    pub const WORKING: Capabilities = Capabilities(256);

    /// The bits.
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// This set and `other`.
    #[must_use]
    pub const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }
}

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
    /// A root certificate in PEM that its servers alone are known by: trusted by its own
    /// clients, in addition to the others, and by nobody else.
    pub(crate) extra_root: Option<&'static str>,
    /// Makes its protocol ready for one client.
    pub(crate) connect: fn(&Config) -> Result<Box<dyn Protocol>>,
}

/// How to talk to a provider, for one client: its URLs, credentials and caches.
pub(crate) trait Protocol: Send + Sync {
    /// Asks, and gives the answer to `call` chunk by chunk. `Ok` only at its true end.
    fn run(&self, request: &Request, call: &mut Call<'_>) -> Result<()>;

    /// Asks for the models there are.
    fn models(&self, call: &mut Call<'_>) -> Result<Vec<Model>>;
}

/// Every provider of this build.
pub fn all() -> &'static [Provider] {
    // Made without a lock: a fork could leave one locked.
    static PROVIDERS: OnceBox<[Provider; 5]> = OnceBox::new();
    PROVIDERS.get_or_init(|| {
        Box::new([
            openai::provider(),
            gigachat::provider(),
            ai365vip::provider(),
            amigochat::provider(),
            aichats::provider(),
        ])
    })
}

/// The provider of that name.
pub fn find(name: &str) -> Option<&'static Provider> {
    all().iter().find(|provider| provider.name == name)
}

/// The headers that a web chat's own page sends, and the cookies of the config's.
fn web_headers(headers: &[(&str, &str)], config: &Config) -> Result<Headers> {
    let mut all = Headers::default();
    for (name, value) in headers {
        all.set(name, value)?;
    }
    if let Some(cookie) = config.option("cookie") {
        all.set("cookie", cookie)?;
    }
    Ok(all)
}
