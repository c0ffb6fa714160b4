//! [`KeyInfo`]: the keys of a config as data, for settings pages and completion.

use super::keys::{self, Kind};
use crate::catalog::Provider;

// `HELP`: what the header says of each key, by build.rs.
include!(concat!(env!("OUT_DIR"), "/help.rs"));

/// What the values of a key are. The set is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum KeyKind {
    /// Any text.
    Text = 1,
    /// Text that is not to be shown, such as a key.
    Secret = 2,
    /// An http or https URL, or a name of that place.
    Url = 3,
    /// The path of a file.
    File = 4,
    /// A whole number.
    Number = 5,
    /// Milliseconds; -1 is no limit.
    Milliseconds = 6,
    /// "true" or "false".
    Boolean = 7,
    /// A JSON object.
    Json = 8,
    /// One of a few names.
    Choice = 9,
}

/// A key that a config has.
#[derive(Clone, Copy, Debug)]
pub struct KeyInfo {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: KeyKind,
    /// The values there are, for [`KeyKind::Choice`].
    pub choices: &'static [&'static str],
    /// What it is set to until it is set; "" for nothing.
    pub default: &'static str,
    /// What it means, in a few words.
    pub help: &'static str,
    /// A request may have a value of its own for it.
    pub is_option: bool,
}

/// The keys of `provider`: its own, and those that every provider has.
pub(super) fn all(provider: &'static Provider) -> Vec<KeyInfo> {
    let own = provider.keys.iter().filter_map(|name| keys::own_key(provider, name));
    let own = own.map(|key| KeyInfo {
        name: key.name,
        kind: kind(key.kind),
        choices: choices(key.kind, provider),
        default: match key.kind {
            Kind::Boolean => "false",
            kind => choices(kind, provider).first().copied().unwrap_or_default(),
        },
        help: help(provider.name, key.name),
        is_option: false,
    });
    let common = keys::COMMON.iter().map(|key| KeyInfo {
        name: key.name,
        kind: kind(key.kind),
        choices: choices(key.kind, provider),
        default: key.initial(provider).unwrap_or_default(),
        help: help(provider.name, key.name),
        is_option: key.is_option,
    });
    own.chain(common).collect()
}

fn kind(kind: Kind) -> KeyKind {
    match kind {
        Kind::Text => KeyKind::Text,
        Kind::Secret => KeyKind::Secret,
        Kind::Url => KeyKind::Url,
        Kind::File => KeyKind::File,
        Kind::Number => KeyKind::Number,
        Kind::Milliseconds => KeyKind::Milliseconds,
        Kind::Boolean => KeyKind::Boolean,
        Kind::Json => KeyKind::Json,
        Kind::Choice(_) => KeyKind::Choice,
    }
}

fn choices(kind: Kind, provider: &Provider) -> &'static [&'static str] {
    match kind {
        Kind::Choice(choices) => choices(provider),
        _ => &[],
    }
}

/// What the header says of a key: where that differs, of this provider's.
fn help(provider: &str, key: &str) -> &'static str {
    let of = |place: &str| {
        let found = HELP.iter().find(|(where_, name, _)| *where_ == place && *name == key);
        found.map(|(_, _, help)| *help)
    };
    of(provider).or_else(|| of("")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::config::Config;

    #[test]
    fn every_key_has_help_a_default_that_can_be_set_and_choices_that_can_be_set() {
        for provider in catalog::all() {
            let keys = all(provider);
            assert!(keys.len() > keys::COMMON.len(), "{}", provider.name);
            for key in keys {
                let mut config = Config::new(provider.name).unwrap();
                assert!(key.help.len() > 8, "{}: {} {:?}", provider.name, key.name, key.help);
                assert!(!key.help.contains("///") && !key.help.contains('\n'), "{}", key.help);
                assert_eq!(key.kind == KeyKind::Choice, !key.choices.is_empty(), "{}", key.name);
                for value in key.choices.iter().chain([&key.default]).filter(|it| !it.is_empty()) {
                    config.set(key.name, Some(value)).unwrap();
                }
            }
        }
    }

    #[test]
    fn help_is_that_of_the_provider() {
        let help = |provider: &str, key: &str| {
            let provider = catalog::find(provider).unwrap();
            all(provider).iter().find(|it| it.name == key).unwrap().help
        };
        assert!(help("openai", "api_key").contains("OPENAI_API_KEY"));
        assert!(help("anthropic", "api_key").contains("ANTHROPIC_API_KEY"));
        assert!(help("amigochat", "cookie").contains("sent as it is"));
        assert!(help("gigachat", "proxy").ends_with("by curl's rules)"));
        assert_eq!(help("gigachat", "ca_pem"), help("openai", "ca_file"));
    }
}
