//! [`Roots`]: whose certificates are trusted.

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
