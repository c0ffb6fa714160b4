//! What each Claude model takes and refuses, in one table.

use serde_json::Value;

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Traits {
    /// One of Anthropic's own models. Of others nothing is known.
    pub(super) is_claude: bool,
    /// `temperature`, `top_p` and `top_k`.
    pub(super) sampling: Sampling,
    /// `tool_choice` of type `any` or `tool`.
    pub(super) forced_tools: bool,
    /// `thinking` of type `adaptive`.
    pub(super) adaptive: bool,
    /// `thinking` of type `enabled`, with a budget.
    pub(super) budget: bool,
    /// `thinking` of type `disabled`.
    pub(super) disabled: Disabled,
    /// The largest `max_tokens`.
    pub(super) max_tokens: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sampling {
    Free,
    /// `temperature` or `top_p`, and neither while the model thinks.
    Limited,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Disabled {
    Taken,
    /// With an effort of `high` at most.
    UpToHigh,
    /// `between_tools` is taken instead.
    BetweenTools,
    /// The model always decides by itself.
    LeftOut,
}

use Disabled::{BetweenTools, LeftOut, Taken, UpToHigh};
use Sampling::{Free, Limited, Refused};

/// Models that are not in the table, and are not Claude.
const OTHER: Traits = Traits {
    is_claude: false,
    sampling: Free,
    forced_tools: true,
    adaptive: false,
    budget: true,
    disabled: Taken,
    max_tokens: i64::MAX,
};

/// Claude models that are not in the table are newer than it: they are taken to refuse all
/// that any of the newest refuses.
const UNKNOWN: Traits = row(Refused, false, true, false, LeftOut, 128_000);

const fn row(
    sampling: Sampling,
    forced_tools: bool,
    adaptive: bool,
    budget: bool,
    disabled: Disabled,
    max_tokens: i64,
) -> Traits {
    Traits { is_claude: true, sampling, forced_tools, adaptive, budget, disabled, max_tokens }
}

/// A part of the model's id, and what models with it take. Longer names come first.
///
/// Columns: sampling, forced tools, adaptive thinking, a thinking budget, thinking disabled,
/// largest `max_tokens`.
const TABLE: &[(&str, Traits)] = &[
    ("claude-instant", row(Free, true, false, false, Taken, 4096)),
    ("sonnet-5-5", row(Refused, false, true, false, BetweenTools, 128_000)),
    ("sonnet-4-6", row(Limited, true, true, true, Taken, 128_000)),
    ("sonnet-4-5", row(Limited, true, false, true, Taken, 64_000)),
    ("claude-3-7", row(Limited, true, false, true, Taken, 64_000)),
    ("claude-3-5", row(Free, true, false, false, Taken, 8192)),
    ("haiku-5-5", row(Refused, true, true, false, UpToHigh, 128_000)),
    ("haiku-4-5", row(Limited, true, false, true, Taken, 64_000)),
    ("fable-5-1", row(Refused, false, true, false, LeftOut, 128_000)),
    ("fable-5-2", row(Refused, false, true, false, LeftOut, 128_000)),
    ("opus-5-5", row(Refused, false, true, false, LeftOut, 128_000)),
    ("opus-4-8", row(Refused, true, true, true, Taken, 128_000)),
    ("opus-4-7", row(Refused, true, true, true, Taken, 128_000)),
    ("opus-4-6", row(Limited, true, true, true, Taken, 128_000)),
    ("opus-4-5", row(Limited, true, false, true, Taken, 64_000)),
    ("opus-4-1", row(Limited, true, false, true, Taken, 32_000)),
    ("sonnet-5", row(Refused, true, true, true, Taken, 128_000)),
    ("sonnet-4", row(Limited, true, false, true, Taken, 64_000)),
    ("claude-3", row(Free, true, false, false, Taken, 4096)),
    ("claude-2", row(Free, true, false, false, Taken, 4096)),
    ("claude-v", row(Free, true, false, false, Taken, 4096)),
    ("fable-5", row(Refused, true, true, false, LeftOut, 128_000)),
    ("opus-5", row(Refused, true, true, true, UpToHigh, 128_000)),
    ("opus-4", row(Limited, true, false, true, Taken, 32_000)),
];

impl Traits {
    /// What the model of that id takes.
    pub(super) fn of(model: &str) -> Traits {
        // Some write a version with a dot.
        let model = model.to_ascii_lowercase().replace('.', "-");
        let known = TABLE.iter().find(|(name, _)| names(&model, name));
        match known {
            Some((_, traits)) => *traits,
            None if model.contains("claude") => UNKNOWN,
            None => OTHER,
        }
    }

    /// The same, where the server's list of models says more.
    pub(super) fn as_listed(self, entry: &Value) -> Traits {
        let types = entry.pointer("/capabilities/thinking/types");
        let takes = |name: &str| types?.get(name)?.get("supported")?.as_bool();
        let disabled = match (takes("disabled"), takes("between_tools"), self.disabled) {
            (Some(true), _, Taken | UpToHigh) | (None, None, _) => self.disabled,
            (Some(true), ..) => Taken,
            (_, Some(true), _) => BetweenTools,
            _ => LeftOut,
        };
        let most = entry.get("max_tokens").and_then(Value::as_i64).filter(|most| *most > 0);
        Traits {
            adaptive: takes("adaptive").unwrap_or(self.adaptive),
            budget: takes("enabled").unwrap_or(self.budget),
            disabled,
            max_tokens: most.unwrap_or(self.max_tokens),
            ..self
        }
    }
}

/// Whether `model` is of the version `name`, and not of another one that begins like it:
/// `opus-4-20250514` is of `opus-4`, `opus-4-9` is not.
fn names(model: &str, name: &str) -> bool {
    model.match_indices(name).any(|(at, _)| {
        let before = model.get(..at).and_then(|text| text.chars().next_back());
        let after = model.get(at + name.len()..).unwrap_or_default();
        let minor = after.strip_prefix('-').unwrap_or_default();
        let digits = minor.chars().take_while(char::is_ascii_digit).count();
        let is_minor = (1..=2).contains(&digits) && !minor.starts_with('0');
        !before.is_some_and(char::is_alphanumeric)
            && !after.starts_with(|c: char| c.is_ascii_digit())
            && !is_minor
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_models_find_their_row() {
        for (model, row) in [
            ("claude-sonnet-5-5", "sonnet-5-5"),
            ("claude-opus-5-5-20261001", "opus-5-5"),
            ("anthropic/claude-opus-5.5", "opus-5-5"),
            ("claude-fable-5-2", "fable-5-2"),
            ("claude-fable-5", "fable-5"),
            ("claude-opus-4-20250514", "opus-4"),
            ("claude-opus-4-0", "opus-4"),
            ("anthropic.claude-opus-4-1-20250805-v1:0", "opus-4-1"),
            ("claude-sonnet-4@20250514", "sonnet-4"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "sonnet-4-5"),
            ("our-haiku-4-5", "haiku-4-5"),
            ("claude-3-5-haiku-20241022", "claude-3-5"),
            ("claude-3-haiku-20240307", "claude-3"),
        ] {
            let (_, traits) = TABLE.iter().find(|(name, _)| *name == row).unwrap();
            let found = TABLE.iter().find(|(name, _)| names(&model.replace('.', "-"), name));
            assert_eq!(found.map(|(name, _)| *name), Some(row), "{model}");
            assert_eq!(Traits::of(model), *traits, "{model}");
        }
    }

    #[test]
    fn longer_names_come_first() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| std::cmp::Reverse(name.len())));
    }

    #[test]
    fn claude_that_is_not_in_the_table_is_the_newest_and_others_are_free() {
        for model in ["claude-opus-4-9", "claude-sonnet-5-6", "claude-opus-6", "claude-mythos-7"] {
            assert_eq!(Traits::of(model), UNKNOWN, "{model}");
        }
        for model in ["deepseek-v4-pro", "kimi-k3", "MiniMax-M2.7", "test-model", "", "octopus-4"] {
            assert_eq!(Traits::of(model), OTHER, "{model}");
        }
    }

    #[test]
    fn what_the_server_lists_counts_more_than_the_table() {
        let types = |types: Value| json!({"capabilities": {"thinking": {"types": types}}});
        let yes = json!({"supported": true});
        let no = json!({"supported": false});
        let of = |model: &str, entry: &Value| Traits::of(model).as_listed(entry);
        let listed = of("claude-opus-6", &types(json!({"enabled": yes, "disabled": yes})));
        assert_eq!((listed.budget, listed.disabled, listed.adaptive), (true, Taken, true));
        let listed = of("claude-opus-6", &types(json!({"disabled": no, "between_tools": yes})));
        assert_eq!(listed.disabled, BetweenTools);
        let listed = of("claude-opus-4-6", &types(json!({"adaptive": no, "disabled": no})));
        assert_eq!((listed.adaptive, listed.disabled), (false, LeftOut));
        let listed = of("claude-opus-5", &types(json!({"disabled": yes})));
        assert_eq!(listed.disabled, UpToHigh);
        assert_eq!(of("claude-opus-6", &json!({"max_tokens": 256_000})).max_tokens, 256_000);
        assert_eq!(of("claude-opus-5", &json!({})), Traits::of("claude-opus-5"));
    }
}
