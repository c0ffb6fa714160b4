//! Token counts: read in the spellings of OpenAI and those who copied it, merged, added.

use serde_json::Value;

use crate::chunk::Usage;

impl Usage {
    /// These counts, with those of `later` that are known in their place. A total is that of
    /// the counts it came with: newer ones without a total leave none.
    pub(super) fn merged(self, later: Usage) -> Usage {
        let total = match later.input >= 0 || later.output >= 0 {
            true => later.total,
            false => self.total,
        };
        Usage { total, ..self }.combined(later, |_, later| later)
    }

    /// The sum of both.
    pub(super) fn plus(self, other: Usage) -> Usage {
        self.totalled().combined(other.totalled(), i64::saturating_add)
    }

    /// The total too, where input and output are known.
    pub(super) fn totalled(self) -> Usage {
        let sum = self.input.saturating_add(self.output);
        let is_known = self.total < 0 && self.input >= 0 && self.output >= 0;
        Usage { total: if is_known { sum } else { self.total }, ..self }
    }

    fn combined(self, other: Usage, both: impl Fn(i64, i64) -> i64) -> Usage {
        let count = |ours: i64, theirs: i64| match (ours >= 0, theirs >= 0) {
            (true, true) => both(ours, theirs),
            (_, false) => ours,
            (false, true) => theirs,
        };
        Usage {
            input: count(self.input, other.input),
            output: count(self.output, other.output),
            total: count(self.total, other.total),
            cached_input: count(self.cached_input, other.cached_input),
            reasoning: count(self.reasoning, other.reasoning),
            cache_write: count(self.cache_write, other.cache_write),
        }
    }
}

/// Token counts in any of the spellings in use; `None` where none is given.
pub(crate) fn usage_of(usage: &Value) -> Option<Usage> {
    if !usage.is_object() {
        return None;
    }
    let count = |paths: &[&str]| {
        let found = paths.iter().find_map(|path| usage.pointer(path)?.as_i64());
        found.map_or(-1, |count| count.max(0))
    };
    let mut counts = Usage {
        input: count(&[
            "/prompt_tokens",
            "/input_tokens",
            "/promptTokens",
            "/promptTokenCount",
            "/prompt",
        ]),
        output: count(&[
            "/completion_tokens",
            "/output_tokens",
            "/completionTokens",
            "/candidatesTokenCount",
            "/completion",
        ]),
        total: count(&["/total_tokens", "/totalTokenCount"]),
        cached_input: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/cached_tokens",
            "/precached_prompt_tokens",
        ]),
        reasoning: count(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/reasoning_tokens",
        ]),
        cache_write: count(&[
            "/prompt_tokens_details/cache_write_tokens",
            "/input_tokens_details/cache_write_tokens",
        ]),
    };
    if counts == Usage::default() {
        return None;
    }
    if counts.total < 0 && counts.input >= 0 && counts.output >= 0 {
        counts.total = counts.input.saturating_add(counts.output);
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usage_is_read_in_every_spelling() {
        for (usage, [input, output, total, cached, reasoning]) in [
            (
                json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}),
                [1, 2, 4, -1, -1],
            ),
            (
                json!({"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}}),
                [1, 2, 3, -1, 1],
            ),
            (json!({"promptTokens": 1, "completionTokens": 2}), [1, 2, 3, -1, -1]),
            (
                json!({"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 5}),
                [1, 2, 5, -1, -1],
            ),
            (json!({"prompt": 1, "completion": 2}), [1, 2, 3, -1, -1]),
            (json!({"prompt_tokens": 9, "prompt_cache_hit_tokens": 3}), [9, -1, -1, 3, -1]),
            (json!({"prompt_tokens": 9, "cached_tokens": 4}), [9, -1, -1, 4, -1]),
            (json!({"prompt_tokens": 9, "precached_prompt_tokens": 5}), [9, -1, -1, 5, -1]),
            (
                json!({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 6}}),
                [9, -1, -1, 6, -1],
            ),
            (json!({"completion_tokens": -3}), [-1, 0, -1, -1, -1]),
        ] {
            let wanted =
                Usage { input, output, total, cached_input: cached, reasoning, cache_write: -1 };
            assert_eq!(usage_of(&usage), Some(wanted), "{usage}");
        }
        for none in [json!({}), json!(null), json!({"prompt_tokens": null}), json!([1])] {
            assert_eq!(usage_of(&none), None, "{none}");
        }
    }

    #[test]
    fn counts_of_parts_are_merged_and_those_of_requests_added() {
        let start = Usage { input: 10, output: 1, cached_input: 4, ..Usage::default() };
        let end = Usage { output: 5, cache_write: 2, ..Usage::default() };
        let merged = Usage { output: 5, cache_write: 2, ..start };
        assert_eq!(start.merged(end), merged);
        assert_eq!(merged.totalled().total, 15);
        let told = Usage { total: 11, ..start };
        assert_eq!(told.merged(end), merged);
        assert_eq!(told.merged(Usage { cached_input: 5, ..Usage::default() }).total, 11);
        let other = Usage { input: 1, output: 2, total: 7, reasoning: 1, ..Usage::default() };
        let sum = Usage { input: 11, output: 7, total: 22, reasoning: 1, ..merged };
        assert_eq!(merged.plus(other), sum);
    }
}
