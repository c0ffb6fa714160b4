//! [`Capabilities`]: what a provider or a model can do.

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

    /// The set that has these bits.
    pub(crate) const fn of_bits(bits: i32) -> Capabilities {
        Capabilities(bits)
    }

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
