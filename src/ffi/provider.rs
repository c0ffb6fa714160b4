use std::ffi::c_char;

use once_cell::race::OnceBox;

use super::caller::Caller;
use super::text::{Text, tolmach_str};
use crate::catalog;

/// What a provider or a model can do: a set of TOLMACH_CAN_ bits. The set is open: ignore
/// the bits you do not know.
pub type tolmach_capabilities = i32;

/// Answers arrive as they are written.
pub const TOLMACH_CAN_STREAM: tolmach_capabilities = 1;
/// Takes a conversation; otherwise it is folded into one prompt.
pub const TOLMACH_CAN_HISTORY: tolmach_capabilities = 2;
/// Takes system messages.
pub const TOLMACH_CAN_SYSTEM: tolmach_capabilities = 4;
/// Calls tools.
pub const TOLMACH_CAN_TOOLS: tolmach_capabilities = 8;
/// Reads images.
pub const TOLMACH_CAN_VISION: tolmach_capabilities = 16;
/// Makes images.
pub const TOLMACH_CAN_IMAGES: tolmach_capabilities = 32;
/// Lists its models.
pub const TOLMACH_CAN_LIST_MODELS: tolmach_capabilities = 64;
/// Wants credentials.
pub const TOLMACH_NEEDS_AUTH: tolmach_capabilities = 128;
/// The service is believed to be up.
pub const TOLMACH_WORKING: tolmach_capabilities = 256;

/// A provider that this build can talk to. Static: it lives as long as the library, and
/// may grow at its end in later versions.
#[repr(C)]
pub struct tolmach_provider {
    /// The name to configure it by: "openai", "gigachat", ...
    pub name: tolmach_str,
    /// Its name for people.
    pub label: tolmach_str,
    /// Its site.
    pub url: tolmach_str,
    /// Where its API is, unless the config's `base_url` says otherwise.
    pub base_url: tolmach_str,
    /// The model asked when nobody names one; empty: name one.
    pub default_model: tolmach_str,
    /// The environment variable where its key is usually kept; empty: none.
    pub api_key_env: tolmach_str,
    /// What it can do: TOLMACH_CAN_ bits.
    pub capabilities: tolmach_capabilities,
}

/// The providers as C sees them, and the texts they point into.
struct Providers {
    views: Vec<tolmach_provider>,
    _texts: Vec<Text>,
}

// SAFETY: made once and never changed; the pointers point into the texts beside them.
unsafe impl Send for Providers {}
// SAFETY: as above.
unsafe impl Sync for Providers {}

/// Made without a lock: a fork could leave one locked.
static PROVIDERS: OnceBox<Providers> = OnceBox::new();

fn table() -> &'static Providers {
    PROVIDERS.get_or_init(|| Box::new(Providers::new()))
}

impl Providers {
    fn new() -> Providers {
        let mut texts = Vec::new();
        let mut keep = |text: &str| {
            let text = Text::new(text);
            let view = text.as_str();
            texts.push(text);
            view
        };
        let views = catalog::all()
            .iter()
            .map(|provider| tolmach_provider {
                name: keep(provider.name),
                label: keep(provider.label),
                url: keep(provider.url),
                base_url: keep(provider.base_url),
                default_model: keep(provider.default_model),
                api_key_env: keep(provider.api_key_env),
                capabilities: provider.capabilities.bits(),
            })
            .collect();
        Providers { views, _texts: texts }
    }
}

/// How many providers this build can talk to.
///
/// Returns: their number.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_provider_count() -> usize {
    table().views.len()
}

/// The provider at `index`, counted from 0.
///
/// Returns: static; NULL past the end.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_provider_get(index: usize) -> *const tolmach_provider {
    table().views.get(index).map_or(std::ptr::null(), std::ptr::from_ref)
}

/// The provider of that name.
///
/// `name`: NUL-terminated, such as "openai".
/// Returns: static; NULL when there is none, or `name` is NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_provider_find(name: *const c_char) -> *const tolmach_provider {
    // SAFETY: `name` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(std::ptr::null(), || {
        let name = caller.string("name", name).ok()?;
        let index = catalog::all().iter().position(|provider| provider.name == name)?;
        table().views.get(index).map(std::ptr::from_ref)
    })
}
