//! [`Roots`]: whose certificates are trusted.

/// What a config calls them; the first is the default.
pub(super) const NAMES: &[&str] = &["bundled", "platform", "only_ca"];

/// Which certificates are trusted before those that are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Mozilla's, compiled in.
    #[default]
    Bundled,
    /// The system's; Mozilla's where it has none.
    Platform,
    /// None.
    OnlyCa,
}
